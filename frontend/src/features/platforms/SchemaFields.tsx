import { useT } from '../../i18n';
import { Field, Input, PasswordInput, Select } from '../../ui';
import type { SchemaField } from './schema';

interface Props {
  fields: SchemaField[];
  values: Record<string, string>;
  onChange: (name: string, value: string) => void;
  errors: Record<string, string>;
  /** Where the server names these members: `auth` or `options`. */
  prefix: string;
}

/** Fields for the members of a platform's schema. Their names are the platform's own words. */
export function SchemaFields({ fields, values, onChange, errors, prefix }: Props) {
  const t = useT();
  return fields.map((field) => {
    const value = values[field.name] ?? '';
    const error = errors[`${prefix}.${field.name}`];
    const hint = field.example || (field.fallback === null ? '' : String(field.fallback));
    return (
      <Field
        key={field.name}
        label={<code className="font-mono">{field.name}</code>}
        required={field.required}
        error={error}
      >
        {field.kind === 'secret' ? (
          <PasswordInput
            value={value}
            onChange={(event) => onChange(field.name, event.target.value)}
            autoComplete="off"
          />
        ) : field.kind === 'boolean' || field.kind === 'choice' ? (
          <Select
            value={value}
            onChange={(next) => onChange(field.name, next)}
            choices={[
              { value: '', label: hint ? `${t('platforms.form.unset')} (${hint})` : t('platforms.form.unset') },
              ...(field.kind === 'boolean'
                ? [
                    { value: 'true', label: t('platforms.form.yes') },
                    { value: 'false', label: t('platforms.form.no') },
                  ]
                : field.choices.map((choice) => ({ value: choice, label: choice }))),
            ]}
          />
        ) : (
          <Input
            mono
            value={value}
            placeholder={hint}
            inputMode={field.kind === 'number' ? 'numeric' : 'text'}
            onChange={(event) => onChange(field.name, event.target.value)}
            autoComplete="off"
          />
        )}
      </Field>
    );
  });
}
