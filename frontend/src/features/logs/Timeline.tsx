import type { LogRow } from '../../api/client';
import { useT } from '../../i18n';
import { duration } from '../../lib/format';
import { stagesOf, type Stage } from './numbers';

const COLOURS: Record<Stage['id'], string> = {
  admission_ms: 'bg-[#8a7be0]',
  queue_ms: 'bg-[#b59a2a]',
  failed: 'bg-bad',
  connect_ms: 'bg-[#5aa0d6]',
  first_token_ms: 'bg-[#e08a3c]',
  generation_ms: 'bg-[#2f9e8f]',
  other: 'bg-mut',
};

/** Where the time went: a bar, and the same as words with milliseconds. */
export function Timeline({ row }: { row: LogRow }) {
  const t = useT();
  const stages = stagesOf(row);
  if (stages.length === 0) return null;
  return (
    <section className="flex flex-col gap-2">
      <h3 className="text-sm font-semibold">{t('logs.timeline')}</h3>
      <div className="flex h-4 w-full gap-px overflow-hidden rounded" aria-hidden>
        {stages.map((stage) => (
          <div key={stage.id} className={COLOURS[stage.id]} style={{ flex: `${stage.ms} 0 2px` }} />
        ))}
      </div>
      <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs">
        {stages.map((stage) => (
          <li key={stage.id} className="inline-flex items-center gap-1.5">
            <span className={`size-2 rounded-full ${COLOURS[stage.id]}`} aria-hidden />
            {t(`logs.stage.${stage.id}`)} <span className="font-medium">{duration(stage.ms)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
