import type { LogRow } from '../../api/client';
import { useT } from '../../i18n';
import { money } from '../../lib/format';
import { Badge } from '../../ui';

/** What a request cost: an amount, «unpriced», or a dash where nothing was billed. */
export function CostText({ row }: { row: Pick<LogRow, 'cost' | 'cost_state'> }) {
  const t = useT();
  if (row.cost !== null) return <span title={`$${row.cost.total}`}>{money(row.cost.total, 4)}</span>;
  if (row.cost_state === 'unpriced') {
    return (
      <Badge tone="warn" title={t('money.unpriced.hint')}>
        {t('money.unpriced')}
      </Badge>
    );
  }
  return <span className="text-mut">–</span>;
}
