import { Switch as Base } from '@base-ui/react/switch';

interface Props {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label: string;
  disabled?: boolean;
  /** Shows the label beside the switch, instead of only naming it. */
  shown?: boolean;
}

export function Switch({ checked, onChange, label, disabled = false, shown = false }: Props) {
  const control = (
    <Base.Root
      checked={checked}
      onCheckedChange={onChange}
      disabled={disabled}
      aria-label={shown ? undefined : label}
      className="relative inline-flex h-6 w-10 shrink-0 items-center rounded-full border border-field bg-field p-0.5 transition-colors data-checked:border-acc data-checked:bg-acc data-disabled:opacity-60"
    >
      <Base.Thumb className="size-4.5 rounded-full bg-panel transition-transform data-checked:translate-x-4" />
    </Base.Root>
  );
  return shown ? (
    <label className="inline-flex items-center gap-2 text-base">
      {control}
      {label}
    </label>
  ) : (
    control
  );
}
