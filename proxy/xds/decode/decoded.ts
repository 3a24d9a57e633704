/** What a decoder makes of a resource: a value, or why it cannot be used, fit for a NACK. */
export type Decoded<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'rejected'; readonly reasons: readonly string[] };

/** Decodes the bytes of one resource; `name` and `version` are those of its envelope. Never throws. */
export type Decoder<T> = (bytes: Uint8Array, name: string, version: string) => Decoded<T>;

/** Reasons as they are found. Each names the field, the value and the remedy; all are told at once. */
export class Problems {
  readonly reasons: string[] = [];

  /** @param remedy completes the sentence, for instance `use one of a, b` */
  add(field: string, value: unknown, remedy: string): void {
    const shown = value === undefined ? 'missing' : JSON.stringify(value);
    this.reasons.push(`${field} is ${shown.length > 200 ? `${shown.slice(0, 200)}…` : shown}; ${remedy}`);
  }

  /** The value if there are no problems. */
  result<T>(value: T): Decoded<T> {
    return this.reasons.length === 0 ? { kind: 'value', value } : { kind: 'rejected', reasons: this.reasons };
  }
}

/** Runs the generated decoder; malformed bytes and a name that is not the envelope's are reasons. */
export function decodeMessage<M>(
  codec: { readonly $type: string; decode(bytes: Uint8Array): M },
  bytes: Uint8Array,
  name: string,
  nameOf: (message: M) => string,
): Decoded<M> {
  let message: M;
  try {
    message = codec.decode(bytes);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return { kind: 'rejected', reasons: [`the bytes are not a valid ${codec.$type}: ${cause}`] };
  }
  if (nameOf(message) === name) return { kind: 'value', value: message };
  const problems = new Problems();
  problems.add('name', nameOf(message), `it must be that of the resource, ${JSON.stringify(name)}`);
  return { kind: 'rejected', reasons: problems.reasons };
}

/** Messages inside of `Any` that are not of the expected type give null and a reason. */
export function unpackField<M>(
  codec: { readonly $type: string; decode(bytes: Uint8Array): M },
  any: { readonly typeUrl: string; readonly value: Uint8Array } | undefined,
  field: string,
  problems: Problems,
): M | null {
  const expected = `type.googleapis.com/${codec.$type}`;
  if (any?.typeUrl !== expected) {
    problems.add(`${field}.type_url`, any?.typeUrl, `use ${expected}`);
    return null;
  }
  try {
    return codec.decode(any.value);
  } catch (error) {
    problems.add(field, (error as Error).message, `the bytes must be a valid ${codec.$type}`);
    return null;
  }
}
