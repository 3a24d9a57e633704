/**
 * What of an object a dialect cannot express. Writers return it beside each resource, so that it can be said: nothing is left
 * out in silence.
 */
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';

/** Something that clients of a dialect do in another way than an object says. */
export interface Omission {
  /** `<kind>/<namespace>/<name>` */
  readonly subject: string;
  /** Name of the rule, or its position from 0; '' where it is of no rule. */
  readonly rule: string;
  /** As in the object, below its rule. */
  readonly field: string;
  /** What the clients do. */
  readonly instead: string;
}

/** A message, or null if there is no such resource, and what it lacks. */
export interface Expressed<T> {
  readonly message: DeepPartial<T> | null;
  readonly omitted: readonly Omission[];
}

/** Fields that a dialect does not express, each with what its clients do. docs/xds.md has the same table. */
export type NotExpressed = Readonly<Record<string, string>>;

/**
 * For each field of a value what of it is not expressed; null: all of it is. A new field does not compile before somebody
 * has decided.
 */
export type Judgement<T, Field extends string> = {
  readonly [F in keyof T]-?: ((value: T) => Field | null | readonly Field[]) | null;
};

export function judge<T, Field extends string>(judgement: Judgement<T, Field>, value: T): Field[] {
  const judges = Object.values(judgement) as Judgement<T, Field>[keyof T][];
  return judges.flatMap(judge => judge?.(value) ?? []);
}

/** `origin` of a route or a policy: `<kind>/<namespace>/<name>[/<rule>]`; '' is of nobody, who needs not be told. */
export function omissions<Field extends string>(
  origin: string,
  fields: readonly Field[],
  instead: Readonly<Record<Field, string>>,
): Omission[] {
  if (origin === '') return [];
  const [kind, namespace, name, rule = ''] = origin.split('/');
  const subject = `${kind}/${namespace}/${name}`;
  return [...new Set(fields)].map(field => ({ subject, rule, field, instead: instead[field] }));
}
