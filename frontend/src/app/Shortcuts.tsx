import { useT, type Key } from '../i18n';
import { Dialog } from '../ui';

const ROWS: [string[], Key][] = [
  [['Ctrl', 'K'], 'app.shortcuts.palette'],
  [['/'], 'app.shortcuts.filter'],
  [['g', 'o / k / l / u / p'], 'app.shortcuts.go'],
  [['n'], 'app.shortcuts.new'],
  [['j', 'k'], 'app.shortcuts.move'],
  [['Enter'], 'app.shortcuts.open'],
  [['Esc'], 'app.shortcuts.close'],
  [['[', ']'], 'app.shortcuts.steps'],
  [['r'], 'app.shortcuts.refresh'],
  [['t'], 'app.shortcuts.tail'],
  [['?'], 'app.shortcuts.help'],
];

export default function Shortcuts({ onClose }: { onClose: () => void }) {
  const t = useT();
  return (
    <Dialog open onClose={onClose} title={t('app.shortcuts')} width="s">
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2 pb-4 text-base">
        {ROWS.map(([keys, name]) => (
          <div key={name} className="contents">
            <dt className="flex gap-1">
              {keys.map((key) => (
                <kbd key={key} className="rounded border border-line bg-soft px-1.5 font-mono text-sm">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd>{t(name)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
