import { Ban, CircleCheck, CircleX, LoaderCircle, UserX } from 'lucide-react';
import type { LogRow } from '../../api/client';
import { useT, type Key } from '../../i18n';
import { Badge, type BadgeTone } from '../../ui';

const LOOK: Record<string, [BadgeTone, typeof Ban, Key]> = {
  ok: ['ok', CircleCheck, 'logs.status.ok'],
  error: ['bad', CircleX, 'logs.status.error'],
  aborted: ['plain', UserX, 'logs.status.aborted'],
  limited: ['warn', Ban, 'logs.status.limited'],
  running: ['acc', LoaderCircle, 'logs.status.running'],
};

/** How a request ended: the HTTP status with an icon, in words on hover. */
export function StatusBadge({ row }: { row: Pick<LogRow, 'status' | 'http_status'> }) {
  const t = useT();
  const [tone, icon, words] = LOOK[row.status] ?? ['plain', Ban, 'logs.status'];
  return (
    <Badge tone={tone} icon={icon} title={t(words)}>
      {row.http_status ?? t(words)}
      {row.http_status !== null && <span className="sr-only">{t(words)}</span>}
    </Badge>
  );
}
