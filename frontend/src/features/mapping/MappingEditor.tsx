import { useMutation, useQuery } from '@tanstack/react-query';
import { ArrowDown, ArrowUp, ListPlus, Wand2, X } from 'lucide-react';
import { useState } from 'react';
import { api, data, type Platform } from '../../api/client';
import { platformsQuery } from '../../api/queries';
import { useT } from '../../i18n';
import { wordsOf } from '../../lib/problems';
import { Button, Field, IconButton, Input, Menu, Notice, SearchSelect, Select, type Choice } from '../../ui';
import { chainWords, SLOTS, writeMapping, type EditedMapping, type Target } from './mapping';

const DEFAULT = '';

interface Props {
  value: EditedMapping;
  onChange: (value: EditedMapping) => void;
  /** What the server refuses, by field. */
  errors: Record<string, string>;
}

/** Where each family of models goes: a platform and a model, and what follows when they fail. */
export function MappingEditor({ value, onChange, errors }: Props) {
  const t = useT();
  const platforms = useQuery(platformsQuery).data?.items ?? [];
  const setChain = (slot: string, chain: Target[] | null) =>
    onChange({ ...value, slots: { ...value.slots, [slot]: chain } });
  const rules = Array.isArray(value.rest['rules']) ? value.rest['rules'].length : 0;
  const presets = platforms
    .filter((platform) => SLOTS.every((slot) => modelFor(platform, slot) !== undefined))
    .map((platform) => ({
      label: t('mapping.preset.all', { platform: platform.id }),
      onSelect: () =>
        onChange({
          ...value,
          slots: {
            ...value.slots,
            ...Object.fromEntries(
              SLOTS.map((slot) => [slot, [{ platform: platform.id, model: modelFor(platform, slot) ?? '' }]]),
            ),
          },
        }),
    }));
  return (
    <fieldset className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <legend className="px-1 text-sm font-medium">{t('keys.mapping')}</legend>
      <div className="flex items-center gap-2">
        <p className="flex-1 text-xs text-mut">{t('keys.form.mapping.hint')}</p>
        <Menu
          trigger={
            <Button size="s" icon={Wand2}>
              {t('mapping.presets')}
            </Button>
          }
          entries={[
            ...presets,
            ...(presets.length > 0 ? [null] : []),
            {
              label: t('mapping.preset.clear'),
              onSelect: () =>
                onChange({ ...value, slots: Object.fromEntries(Object.keys(value.slots).map((slot) => [slot, null])) }),
            },
          ]}
        />
      </div>
      {Object.entries(value.slots).map(([slot, chain]) => (
        <Chain
          key={slot}
          slot={slot}
          chain={chain}
          platforms={platforms}
          errors={errors}
          onChange={(next) => setChain(slot, next)}
        />
      ))}
      <div className="flex flex-wrap items-center gap-2 border-t border-line pt-2">
        <span className="w-24 text-sm">{t('mapping.other')}</span>
        <div className="min-w-0 flex-1 basis-52">
          <Select
            label={t('mapping.other')}
            value={value.other === null ? 'pass' : value.other.length === 0 ? 'refuse' : 'keep'}
            onChange={(choice) => choice !== 'keep' && onChange({ ...value, other: choice === 'pass' ? null : [] })}
            choices={[
              { value: 'pass', label: t('mapping.other.pass') },
              { value: 'refuse', label: t('mapping.other.refuse') },
              ...(value.other?.length
                ? [{ value: 'keep', label: t('mapping.other.keep', { chain: chainWords(value.other) }) }]
                : []),
            ]}
          />
        </div>
      </div>
      {rules > 0 && <p className="text-xs text-mut">{t('mapping.rules_kept', { n: rules })}</p>}
      <TryIt value={value} />
    </fieldset>
  );
}

const modelFor = (platform: Platform, slot: string): string | undefined =>
  platform.models.find((model) => model.slot === slot)?.id;

interface ChainProps {
  slot: string;
  chain: Target[] | null;
  platforms: readonly Platform[];
  errors: Record<string, string>;
  onChange: (chain: Target[] | null) => void;
}

function Chain({ slot, chain, platforms, errors, onChange }: ChainProps) {
  const t = useT();
  const name = slot.charAt(0).toUpperCase() + slot.slice(1);
  const rows: (Target | null)[] = chain === null || chain.length === 0 ? [null] : chain;
  const put = (index: number, target: Target | null) => {
    if (target === null) {
      const left = (chain ?? []).filter((_, at) => at !== index);
      onChange(left.length > 0 ? left : null);
    } else onChange(rows.map((row, at) => (at === index ? target : row)).filter((row) => row !== null));
  };
  const move = (index: number, by: number) => {
    const next = [...(chain ?? [])];
    const [moved] = next.splice(index, 1);
    if (moved) next.splice(index + by, 0, moved);
    onChange(next);
  };
  const error = Object.entries(errors).find(([field]) => field.startsWith(`mapping.${slot}`))?.[1];
  return (
    <div className="flex flex-col gap-1">
      {rows.map((target, index) => (
        <div key={index} className="flex flex-wrap items-center gap-2">
          <span className="w-24 shrink-0 text-sm">
            {index === 0 ? name : <span className="pl-3 text-mut">{t('mapping.then')}</span>}
          </span>
          <div className="min-w-0 flex-1 basis-36">
            <Select
              label={t('mapping.platform', { slot: name })}
              value={target?.platform ?? DEFAULT}
              onChange={(platform) =>
                put(index, platform === DEFAULT ? null : { platform, model: suggestion(platforms, platform, slot) })
              }
              choices={[
                ...(index === 0 ? [{ value: DEFAULT, label: t('mapping.default_row') }] : []),
                ...platforms.map((platform) => ({ value: platform.id, label: platform.id })),
              ]}
            />
          </div>
          {target !== null && (
            <div className="min-w-0 flex-1 basis-52">
              <SearchSelect
                free
                label={t('mapping.model', { slot: name })}
                placeholder={t('mapping.model.choose')}
                value={target.model}
                onChange={(model) => put(index, { ...target, model })}
                choices={modelChoices(platforms, target.platform)}
              />
            </div>
          )}
          {target !== null && (chain?.length ?? 0) > 1 && (
            <span className="flex">
              <IconButton
                icon={ArrowUp}
                size="s"
                label={t('mapping.up')}
                disabled={index === 0}
                onClick={() => move(index, -1)}
              />
              <IconButton
                icon={ArrowDown}
                size="s"
                label={t('mapping.down')}
                disabled={index === rows.length - 1}
                onClick={() => move(index, 1)}
              />
              <IconButton icon={X} size="s" label={t('mapping.remove')} onClick={() => put(index, null)} />
            </span>
          )}
        </div>
      ))}
      {error && <p className="text-sm text-bad sm:pl-26">{error}</p>}
      {chain !== null && chain.length > 0 && (
        <div className="sm:pl-26">
          <Button
            size="s"
            tone="quiet"
            icon={ListPlus}
            onClick={() => {
              const platform =
                platforms.find((known) => !chain.some((target) => target.platform === known.id)) ?? platforms[0];
              if (platform)
                onChange([...chain, { platform: platform.id, model: suggestion(platforms, platform.id, slot) }]);
            }}
          >
            {t('mapping.fallback')}
          </Button>
        </div>
      )}
    </div>
  );
}

function suggestion(platforms: readonly Platform[], id: string, slot: string): string {
  const platform = platforms.find((known) => known.id === id);
  return platform === undefined
    ? ''
    : (modelFor(platform, slot) ?? platform.models[0]?.id ?? (id === 'sandbox' ? `claude-${slot}` : ''));
}

function modelChoices(platforms: readonly Platform[], id: string): Choice<string>[] {
  const models = platforms.find((platform) => platform.id === id)?.models ?? [];
  return models.map((model) => ({
    value: model.id,
    label: model.id,
    note: model.context === null ? undefined : `${Math.round(model.context / 1000)}K`,
  }));
}

function TryIt({ value }: { value: EditedMapping }) {
  const t = useT();
  const [model, setModel] = useState('');
  const resolve = useMutation({
    mutationFn: (name: string) =>
      data(api.POST('/api/v1/mappings/resolve', { body: { model: name, mapping: writeMapping(value) } })),
  });
  const name = resolve.variables ?? '';
  return (
    <div className="flex flex-col gap-2 border-t border-line pt-2">
      <div className="flex items-end gap-2">
        <div className="min-w-0 flex-1">
          <Field label={t('mapping.try')}>
            <Input
              mono
              value={model}
              placeholder="claude-sonnet-4-5-20250929"
              onChange={(event) => setModel(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter') {
                  event.preventDefault();
                  if (model.trim()) resolve.mutate(model.trim());
                }
              }}
            />
          </Field>
        </div>
        <Button busy={resolve.isPending} disabled={!model.trim()} onClick={() => resolve.mutate(model.trim())}>
          {t('action.test')}
        </Button>
      </div>
      {resolve.data && (
        <Notice tone={resolve.data.targets.length > 0 ? 'acc' : 'warn'}>
          {resolve.data.targets.length === 0
            ? t('mapping.try.refused', { model: name })
            : [
                t('mapping.try.leads', { model: name }),
                chainWords(resolve.data.targets),
                resolve.data.rule !== null
                  ? t('mapping.try.rule', { rule: resolve.data.rule })
                  : resolve.data.slot !== null && t('mapping.try.slot', { slot: resolve.data.slot }),
              ]
                .filter(Boolean)
                .join(' ')}
        </Notice>
      )}
      {resolve.error && <Notice tone="bad">{wordsOf(resolve.error, t)}</Notice>}
    </div>
  );
}
