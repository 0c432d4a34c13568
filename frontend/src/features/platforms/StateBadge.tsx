import { Ban, CircleCheck, Hourglass, Pause } from 'lucide-react';
import type { Credential } from '../../api/client';
import { useSpeech } from '../../i18n';
import { moment, relative } from '../../lib/format';
import { Badge } from '../../ui';

const LOOK = {
  ready: { tone: 'ok', icon: CircleCheck },
  cooling: { tone: 'warn', icon: Hourglass },
  blocked: { tone: 'bad', icon: Ban },
  disabled: { tone: 'plain', icon: Pause },
} as const;

/** How a credential fares, why, and until when: in words, not by colour alone. */
export function StateBadge({ state }: { state: Credential['state'] }) {
  const { t, language } = useSpeech();
  const status = state.status in LOOK ? (state.status as keyof typeof LOOK) : 'disabled';
  const { tone, icon } = LOOK[status];
  return (
    <div className="flex max-w-72 flex-col items-start gap-0.5">
      <Badge tone={tone} icon={icon}>
        {t(`platforms.state.${status}`)}
        {state.until && (
          <time dateTime={state.until} title={moment(state.until, language)}>
            {' '}
            {t('platforms.until', { when: relative(state.until, language) })}
          </time>
        )}
      </Badge>
      {state.reason && <span className="text-xs break-words text-mut">{state.reason}</span>}
    </div>
  );
}
