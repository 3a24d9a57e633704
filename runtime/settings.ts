/**
 * Settings of a process as a table: environment variable, type, default, description. One reader for every plane, and
 * the reference pages are made from the same tables.
 */

export type SettingType = 'string' | 'integer' | 'number' | 'boolean' | 'list';

export interface Setting {
  /** Environment variable. */
  env: string;
  type: SettingType;
  /** As written in the environment; absent if the setting must be given. */
  default?: string;
  /** Allowed values, if they are few. */
  values?: readonly string[];
  /** Inclusive limits of numbers. */
  min?: number;
  max?: number;
  description: string;
}

type Value<S extends Setting> = S['type'] extends 'integer' | 'number'
  ? number
  : S['type'] extends 'boolean'
    ? boolean
    : S['type'] extends 'list'
      ? readonly string[]
      : S extends { values: readonly (infer V)[] }
        ? V
        : string;

export type Settings<T extends Record<string, Setting>> = { readonly [K in keyof T]: Value<T[K]> };

/** Every problem of an environment at once; each names the variable, the value and what is allowed. */
export class SettingsError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`invalid settings:\n  ${problems.join('\n  ')}`);
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

function parse(setting: Setting, raw: string): { value: unknown } | { problem: string } {
  const is = `${setting.env} is ${JSON.stringify(raw)}`;
  if (setting.values !== undefined && !setting.values.includes(raw)) {
    return { problem: `${is}; use one of ${setting.values.join(', ')}` };
  }
  switch (setting.type) {
    case 'string':
      return { value: raw };
    case 'list':
      return {
        value: raw
          .split(',')
          .map(item => item.trim())
          .filter(item => item !== ''),
      };
    case 'boolean':
      return raw === 'true' || raw === 'false'
        ? { value: raw === 'true' }
        : { problem: `${is}; use true or false` };
    case 'integer':
    case 'number': {
      const value = raw.trim() === '' ? Number.NaN : Number(raw);
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = setting;
      if (
        Number.isNaN(value) ||
        (setting.type === 'integer' && !Number.isInteger(value)) ||
        value < min ||
        value > max
      ) {
        const limits = `${Number.isFinite(min) ? ` from ${min}` : ''}${Number.isFinite(max) ? ` to ${max}` : ''}`;
        return { problem: `${is}; use ${setting.type === 'integer' ? 'an integer' : 'a number'}${limits}` };
      }
      return { value };
    }
  }
}

/** Reads all settings of a table. Throws {@link SettingsError} with every problem found. */
export function readSettings<const T extends Record<string, Setting>>(
  table: T,
  environment: Readonly<Record<string, string | undefined>>,
): Settings<T> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, setting] of Object.entries(table)) {
    const raw = environment[setting.env] ?? setting.default;
    if (raw === undefined) {
      problems.push(`${setting.env} is not set; it is: ${setting.description}`);
      continue;
    }
    const result = parse(setting, raw);
    if ('problem' in result) problems.push(result.problem);
    else values[name] = result.value;
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return values as Settings<T>;
}
