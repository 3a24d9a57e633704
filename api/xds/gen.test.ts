import { globSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import type { Codec } from './any.ts';

/**
 * Encodes each message with protobufjs, an independent implementation, takes it through the generated codec, and reads
 * it back with protobufjs. Every field is set, each case of a oneof once.
 */
const folder = join(import.meta.dirname, 'proto');
const files = globSync('**/*.proto', { cwd: folder }).sort();
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(folder, target);
root.loadSync(files);
root.resolveAll();

const types = messages(root);

test.each(types.map(type => [type.fullName.slice(1), type] as const))('%s', async (name, type) => {
  const codec = await generated(type);
  expect(codec.$type).toBe(name);
  for (const sample of samples(type)) {
    const bytes = type.encode(type.fromObject(sample)).finish();
    const message = codec.decode(bytes);
    const again = codec.encode(codec.fromPartial(message as object)).finish();
    expect(plain(type, again)).toEqual(plain(type, bytes));
    expect(Object.keys(plain(type, bytes)).sort()).toEqual(Object.keys(sample).sort());
  }
});

test('there are messages to test', () => {
  expect(types.length).toBeGreaterThan(200);
});

type Sample = { [field: string]: unknown };

/** An empty one, one with the first case of every oneof, and one more for each further case. */
function samples(type: protobuf.Type): Sample[] {
  const base = sample(type, 0);
  const more: Sample[] = [];
  for (const oneof of type.oneofsArray) {
    for (const field of oneof.fieldsArray.slice(1)) {
      more.push({ [field.name]: value(field, 0) });
    }
  }
  return [{}, base, ...more];
}

function sample(type: protobuf.Type, depth: number): Sample {
  const result: Sample = {};
  for (const field of type.fieldsArray) {
    field.resolve();
    if (field.partOf && field.partOf.fieldsArray[0] !== field) continue;
    if (depth > 2 && field.resolvedType instanceof protobuf.Type) continue;
    const single = value(field, depth);
    if (field instanceof protobuf.MapField) result[field.name] = { a: single, b: single };
    else result[field.name] = field.repeated ? [single, single] : single;
  }
  return result;
}

function value(field: protobuf.Field, depth: number): unknown {
  field.resolve();
  const resolved = field.resolvedType;
  if (resolved instanceof protobuf.Enum) return Object.values(resolved.values).at(-1);
  if (resolved instanceof protobuf.Type) return messageValue(resolved, depth);
  if (field.type === 'string') return `${field.name}-é`;
  if (field.type === 'bytes') return new Uint8Array([0, 1, 255]);
  if (field.type === 'bool') return true;
  if (field.type === 'double' || field.type === 'float') return 0.5;
  return field.type.startsWith('u') ? 2 ** 31 + field.id : -field.id;
}

function messageValue(type: protobuf.Type, depth: number): Sample {
  if (type.fullName === '.google.protobuf.Struct') return struct;
  // Becomes a Date: not before 1970, whole milliseconds.
  if (type.fullName === '.google.protobuf.Timestamp') return { seconds: 1_800_000_000, nanos: 7_000_000 };
  return sample(type, depth + 1);
}

const struct = {
  fields: {
    text: { stringValue: 'x' },
    number: { numberValue: -1.5 },
    truth: { boolValue: false },
    nothing: { nullValue: 0 },
    list: { listValue: { values: [{ stringValue: 'y' }, { structValue: { fields: {} } }] } },
  },
};

function plain(type: protobuf.Type, bytes: Uint8Array): Sample {
  return type.toObject(type.decode(bytes), { longs: String, bytes: String });
}

/** The codec of a message: file and export are named after the .proto file and the nested name. */
async function generated(type: protobuf.Type): Promise<Codec<unknown>> {
  const file = type.filename!.slice(folder.length + 1).replace(/\.proto$/, '.ts');
  const names = [type.name];
  for (let outer = type.parent; outer instanceof protobuf.Type; outer = outer.parent)
    names.unshift(outer.name);
  const module = (await import(join(import.meta.dirname, 'gen', file))) as { [name: string]: Codec<unknown> };
  return module[names.join('_')];
}

function messages(namespace: protobuf.NamespaceBase): protobuf.Type[] {
  const nested = namespace.nestedArray.flatMap(item =>
    item instanceof protobuf.Namespace ? messages(item) : [],
  );
  const inGoogle = namespace.fullName.startsWith('.google.protobuf');
  return namespace instanceof protobuf.Type && !inGoogle ? [namespace, ...nested] : nested;
}
