import type { LogRow } from '../../api/client';
import { useSpeech, type Key } from '../../i18n';
import { exact } from '../../lib/format';
import { Notice } from '../../ui';
import { CostText } from './CostText';

interface Line {
  name: Key;
  tokens: number | null;
  rate?: string | undefined;
  cost?: string | undefined;
  part?: boolean;
}

function linesOf(row: LogRow): Line[] {
  const { usage, cost } = row;
  if (usage === null) return [];
  const rates = cost?.rates ?? {};
  const lines: Line[] = [
    { name: 'logs.item.input', tokens: usage.input_tokens, rate: rates['input'], cost: cost?.input },
    {
      name: 'logs.item.cache_read',
      tokens: usage.cache_read_tokens,
      rate: rates['cache_read'],
      cost: cost?.cache_read,
    },
    {
      name: 'logs.item.cache_write_5m',
      tokens: usage.cache_write_5m_tokens,
      rate: rates['cache_write_5m'],
      cost: cost?.cache_write,
    },
    { name: 'logs.item.cache_write_1h', tokens: usage.cache_write_1h_tokens, rate: rates['cache_write_1h'] },
    { name: 'logs.item.output', tokens: usage.output_tokens, rate: rates['output'], cost: cost?.output },
    { name: 'logs.item.reasoning', tokens: usage.reasoning_tokens, part: true },
    { name: 'logs.item.searches', tokens: usage.web_searches, cost: cost?.other },
  ];
  return lines.filter(
    (line) => (line.tokens ?? 0) > 0 || line.name === 'logs.item.input' || line.name === 'logs.item.output',
  );
}

/** Each class of tokens with its rate and what it cost; the cost of both kinds of cache writes stands with the first. */
export function CostTable({ row }: { row: LogRow }) {
  const { t, language } = useSpeech();
  return (
    <div className="flex flex-col gap-3">
      {row.usage_state === 'partial' && <Notice>{t('logs.usage.partial')}</Notice>}
      {row.usage_state === 'estimated' && <Notice>{t('logs.usage.estimated')}</Notice>}
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b border-line text-xs">
            <th className="py-2 text-left">{t('logs.item')}</th>
            <th className="py-2 text-right">{t('logs.amount')}</th>
            <th className="py-2 text-right">{t('logs.rate')}</th>
            <th className="py-2 text-right">{t('logs.cost')}</th>
          </tr>
        </thead>
        <tbody>
          {linesOf(row).map((line) => (
            <tr key={line.name} className="border-b border-line">
              <td className={line.part ? 'py-1.5 pl-4 text-mut' : 'py-1.5'}>{t(line.name as 'logs.item.input')}</td>
              <td className="py-1.5 text-right">{exact(line.tokens ?? 0, language)}</td>
              <td className="py-1.5 text-right">{line.rate ? `$${line.rate}` : ''}</td>
              <td className="py-1.5 text-right">{line.cost && line.cost !== '0' ? `$${line.cost}` : ''}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th className="py-2 text-left" colSpan={3}>
              {t('logs.sum')}
            </th>
            <td className="py-2 text-right font-semibold">
              {row.cost ? `$${row.cost.total}` : <CostText row={row} />}
            </td>
          </tr>
        </tfoot>
      </table>
      {row.cost && <p className="text-xs text-mut">{t('logs.price_version', { version: row.cost.price_version })}</p>}
    </div>
  );
}
