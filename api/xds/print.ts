import { type Codec, packableCodec, type UnpackedMessage, unpack } from './any.ts';
import { formatDuration } from './duration.ts';
import type { Any } from './gen/google/protobuf/any.ts';
import type { Duration } from './gen/google/protobuf/duration.ts';

/** What `print` returns: JSON.stringify and YAML writers take it as it is. */
export type Printed = null | boolean | number | string | Printed[] | { [key: string]: Printed };

const redacted = '[redacted]';

/**
 * A message as proto3 JSON for people (golden files, /config, `tulle explain`): fields at their default are left out, an
 * Any shows its message beside `@type`, and private keys are redacted. Bytes are base64.
 */
export function print<T>(codec: Pick<Codec<T>, 'toJSON'>, message: T): Printed {
  return walk(codec.toJSON(message) as Printed, message);
}

/** The same for an Any. A type that is not ours, or bytes that do not decode, are shown in base64 with the reason. */
export function printAny(any: Any): Printed {
  const unpacked = unpack(any);
  if (unpacked.kind !== 'message') {
    const value = Buffer.from(any.value).toString('base64');
    return { '@type': any.typeUrl, '@error': unpacked.reason, value };
  }
  return { '@type': any.typeUrl, ...printFields(unpacked) };
}

function printFields(unpacked: UnpackedMessage): { [key: string]: Printed } {
  const codec = packableCodec(unpacked.type) as Codec<unknown>;
  return print(codec, unpacked.message) as { [key: string]: Printed };
}

/**
 * `json` is what the generated toJSON made of `value`: it alone knows which defaults may be left out (a `false` of a
 * BoolValue may not), while `value` still tells an Any and a Duration from other messages.
 */
function walk(json: Printed, value: unknown): Printed {
  if (json === null || typeof json !== 'object') return json;
  if (isAny(value)) return printAny(value);
  if (isDuration(value)) return formatDuration(value);
  if (Array.isArray(json)) return json.map((item, index) => walk(item, (value as unknown[])[index]));
  const printed: { [key: string]: Printed } = {};
  for (const [key, item] of Object.entries(json)) {
    printed[key] = key === 'privateKey' ? redacted : walk(item, member(value as object, key));
  }
  return printed;
}

/** toJSON lifts the chosen case of a oneof into the message, so its name is not a key of `message`. */
function member(message: object, key: string): unknown {
  if (Object.hasOwn(message, key)) return (message as { [key: string]: unknown })[key];
  for (const candidate of Object.values(message)) {
    if (isCase(candidate) && candidate.$case === key) return candidate.value;
  }
  return undefined;
}

function isCase(value: unknown): value is { $case: string; value: unknown } {
  return typeof value === 'object' && value !== null && '$case' in value;
}

function isAny(value: unknown): value is Any {
  return hasExactly(value, 'typeUrl', 'value') && value.value instanceof Uint8Array;
}

function isDuration(value: unknown): value is Duration {
  return hasExactly(value, 'seconds', 'nanos') && typeof value.seconds === 'number';
}

function hasExactly(value: unknown, first: string, second: string): value is { [key: string]: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const keys = Object.keys(value);
  return keys.length === 2 && keys.includes(first) && keys.includes(second);
}
