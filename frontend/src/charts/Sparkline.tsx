/** A line without axes: the shape of a few values beside their sum. It only repeats, so it is hidden from readers. */
export function Sparkline({ values }: { values: number[] }) {
  const most = Math.max(...values, 0);
  if (values.length < 2 || most <= 0) return <svg viewBox="0 0 100 24" className="h-6 w-24" aria-hidden />;
  const points = values.map((value, index) => `${(index / (values.length - 1)) * 100},${22 - (value / most) * 20}`);
  return (
    <svg viewBox="0 0 100 24" preserveAspectRatio="none" className="h-6 w-24" aria-hidden>
      <polyline
        points={points.join(' ')}
        fill="none"
        className="stroke-acc"
        strokeWidth="1.5"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
