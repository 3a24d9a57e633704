/**
 * Reading fields of objects that nobody has validated. Each function answers the value, or records a problem that names
 * the field, the value and the remedy, and answers what stands in for it.
 */

import type { FaultReason } from '../../model/model.ts';

export type Fields = Readonly<Record<string, unknown>>;

export class Problems {
  readonly list: string[] = [];
  /** By sentence, where the reason is another than that a value is not supported. */
  readonly #reasons = new Map<string, FaultReason>();

  /** `is` as in "spec.port is 0; use an integer from 1 to 65535". */
  add(path: string, value: unknown, remedy: string, reason: FaultReason = 'UnsupportedValue'): void {
    this.addFault(reason, `${path} is ${value === undefined ? 'missing' : print(value)}; ${remedy}`);
  }

  /** A whole sentence. */
  addFault(reason: FaultReason, message: string): void {
    this.list.push(message);
    if (reason !== 'UnsupportedValue') this.#reasons.set(message, reason);
  }

  /** Takes over what another has. */
  addAll(other: Problems): void {
    this.list.push(...other.list);
    for (const [message, reason] of other.#reasons) this.#reasons.set(message, reason);
  }

  reasonOf(message: string): FaultReason {
    return this.#reasons.get(message) ?? 'UnsupportedValue';
  }
}

/** A value as the user wrote it, shortened. */
function print(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null';
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** Reads a map; null if the field is absent or not a map. */
export function fields(value: unknown, path: string, problems: Problems): Fields | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'object' && !Array.isArray(value)) return value as Fields;
  problems.add(path, value, 'use a map');
  return null;
}

/** Reads a list; [] if the field is absent or not a list. */
export function list(value: unknown, path: string, problems: Problems): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value as readonly unknown[];
  problems.add(path, value, 'use a list');
  return [];
}

/** Reads a list of maps; what is not a map is reported and left out, with the index of each that stays. */
export function listOfFields(
  value: unknown,
  path: string,
  problems: Problems,
): { item: Fields; path: string }[] {
  return list(value, path, problems).flatMap((entry, index) => {
    const at = `${path}[${index}]`;
    const item = fields(entry ?? 'null', at, problems);
    return item === null ? [] : [{ item, path: at }];
  });
}

/** Reads a string; '' if the field is absent. Null if it is something else. */
export function text(value: unknown, path: string, problems: Problems): string | null {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  problems.add(path, value, 'use a string');
  return null;
}

/** Reads a string that must be there. */
export function requiredText(value: unknown, path: string, problems: Problems): string | null {
  if (typeof value === 'string' && value !== '') return value;
  problems.add(path, value ?? undefined, 'use a string that is not empty');
  return null;
}

/** Reads an integer within limits; `absent` if the field is not there, null if it is wrong. */
export function integer(
  value: unknown,
  path: string,
  limits: { min: number; max: number },
  absent: number,
  problems: Problems,
): number | null {
  if (value === undefined || value === null) return absent;
  if (typeof value === 'number' && Number.isInteger(value) && value >= limits.min && value <= limits.max)
    return value;
  problems.add(path, value, `use an integer from ${limits.min} to ${limits.max}`);
  return null;
}

export const portLimits = { min: 1, max: 65_535 } as const;

/** Reads one of a few words; `absent` if the field is not there, null if it is another word. */
export function oneOf<const T extends string>(
  value: unknown,
  path: string,
  words: readonly T[],
  absent: T,
  problems: Problems,
): T | null {
  if (value === undefined || value === null) return absent;
  if ((words as readonly unknown[]).includes(value)) return value as T;
  problems.add(path, value, `use ${words.length === 1 ? words[0] : `one of ${words.join(', ')}`}`);
  return null;
}

/** Reads a Kubernetes annotation or label map; values that are not strings are left out. */
export function strings(value: unknown): Readonly<Record<string, string>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};
}
