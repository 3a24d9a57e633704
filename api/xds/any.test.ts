import { globSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { pack, packableCodec, typeUrl, unpack, unpackAs } from './any.ts';
import { Cluster } from './gen/envoy/config/cluster/v3/cluster.ts';
import { Listener } from './gen/envoy/config/listener/v3/listener.ts';
import { SemanticVersion } from './gen/envoy/type/v3/semantic_version.ts';

test('a packed message unpacks to itself, narrowed by its type', () => {
  const any = pack(Listener, { name: 'inbound/shop/cart', bindToPort: false });
  expect(any.typeUrl).toBe('type.googleapis.com/envoy.config.listener.v3.Listener');
  const unpacked = unpack(any);
  if (unpacked.kind !== 'message' || unpacked.type !== 'envoy.config.listener.v3.Listener') {
    throw new Error('not a Listener');
  }
  expect(unpacked.message.name).toBe('inbound/shop/cart');
  expect(unpacked.message.bindToPort).toBe(false);
  expect(unpacked.message.useOriginalDst).toBeUndefined();
});

test('a type that is not ours is a value that names the type URL', () => {
  const unpacked = unpack({ typeUrl: 'type.googleapis.com/envoy.admin.v3.Unheard', value: new Uint8Array() });
  expect(unpacked).toEqual({
    kind: 'unknown',
    typeUrl: 'type.googleapis.com/envoy.admin.v3.Unheard',
    reason: 'Tulle does not know the type "type.googleapis.com/envoy.admin.v3.Unheard".',
  });
});

test.each([
  ['a length beyond the end', [0x0a, 0x7f, 0x61]],
  ['an unfinished number', [0x0a]],
  ['a wire type that does not exist', [0x0f]],
])('bytes with %s are a value with the reason', (_name, bytes) => {
  const unpacked = unpack({ typeUrl: typeUrl(Cluster), value: Uint8Array.from(bytes) });
  expect(unpacked).toMatchObject({ kind: 'malformed', typeUrl: typeUrl(Cluster) });
});

test('a resource of another type than the response promises is refused', () => {
  const unpacked = unpackAs(Cluster, pack(Listener, { name: 'x' }));
  expect(unpacked).toEqual({
    kind: 'unknown',
    typeUrl: typeUrl(Listener),
    reason: `Expected the type "${typeUrl(Cluster)}", got "${typeUrl(Listener)}".`,
  });
});

test('unpackAs takes a type that is in no table', () => {
  const unpacked = unpackAs(SemanticVersion, pack(SemanticVersion, { majorNumber: 2 }));
  expect(unpacked).toEqual({ kind: 'message', message: { majorNumber: 2, minorNumber: 0, patch: 0 } });
});

test('every message that nothing refers to by name can be unpacked: it can only travel in an Any', () => {
  const folder = join(import.meta.dirname, 'proto');
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(folder, target);
  root.loadSync(globSync('**/*.proto', { cwd: folder }).sort());
  root.resolveAll();
  const { types, referred } = survey(root);
  const unreferred = types.filter(name => !referred.has(name));
  expect(unreferred.length).toBeGreaterThan(30);
  const missing = unreferred.filter(name => {
    return unpack({ typeUrl: `type.googleapis.com/${name}`, value: new Uint8Array() }).kind !== 'message';
  });
  expect(missing).toEqual([]);
  expect(packableCodec('envoy.config.cluster.v3.Cluster')).toBe(Cluster);
});

/** Names of the top-level messages, and of those that a field or a method refers to. */
function survey(root: protobuf.Root): { types: string[]; referred: Set<string> } {
  const types: string[] = [];
  const referred = new Set<string>();
  const visit = (item: protobuf.ReflectionObject): void => {
    if (item.fullName.startsWith('.google.protobuf')) return;
    if (item instanceof protobuf.Service) {
      for (const method of item.methodsArray) {
        method.resolve();
        referred.add(method.resolvedRequestType!.fullName.slice(1));
        referred.add(method.resolvedResponseType!.fullName.slice(1));
      }
      return;
    }
    if (item instanceof protobuf.Type) {
      const container = item.fieldsArray.length === 0 && item.nestedArray.length > 0;
      if (!(item.parent instanceof protobuf.Type) && !container) types.push(item.fullName.slice(1));
      for (const field of item.fieldsArray) {
        const type = field.resolve().resolvedType;
        if (type !== null) referred.add(type.fullName.slice(1));
      }
    }
    if (item instanceof protobuf.Namespace) for (const nested of item.nestedArray) visit(nested);
  };
  visit(root);
  return { types, referred };
}
