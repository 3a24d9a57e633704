import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';

const ownFolder = join(import.meta.dirname, 'proto');
const modules = join(import.meta.dirname, '../../node_modules');
const deps = join(modules, '@grpc/grpc-js-xds/deps');
const referenceFolders = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map(name =>
  join(deps, name),
);

/**
 * What is newer than the Envoy API that grpc-js-xds ships (about Envoy 1.33). Compared by hand with
 * go-control-plane/envoy v1.40.0; Envoy 1.40 takes them.
 */
const newer = new Set([
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget.budget_interval',
  'envoy.config.rbac.v3.MetadataSource',
  'envoy.config.rbac.v3.Permission.sourced_metadata',
  'envoy.config.rbac.v3.Principal.sourced_metadata',
  'envoy.config.rbac.v3.SourcedMetadata',
  'envoy.config.route.v3.CookieMatcher',
  'envoy.config.route.v3.RouteAction.RequestMirrorPolicy.host_rewrite_literal',
  'envoy.config.route.v3.RouteMatch.cookies',
  'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig.trust_bundles',
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext.auto_host_sni',
  'envoy.service.discovery.v3.DeltaDiscoveryResponse.resource_errors',
  'envoy.service.discovery.v3.DiscoveryResponse.resource_errors',
  'envoy.service.discovery.v3.ResourceError',
]);

const files = globSync('{envoy,google}/**/*.proto', { cwd: ownFolder }).sort();
const own = load(files, [ownFolder]);
const reference = load(filesWithThePackagesOf(files), referenceFolders);

test('every name, number, type and label of our messages is the one of the reference', () => {
  const differences = compare(own, reference);
  expect(differences.filter(item => !newer.has(item.name))).toEqual([]);
});

test('the list of newer names holds nothing that the reference has by now', () => {
  const differing = new Set(compare(own, reference).map(item => item.name));
  expect([...newer].filter(name => !differing.has(name))).toEqual([]);
});

test('a field that is changed is noticed', () => {
  const changed = load(files, [ownFolder]);
  const cluster = changed.lookupType('envoy.config.cluster.v3.Cluster');
  cluster.remove(cluster.fields.alt_stat_name);
  cluster.add(new protobuf.Field('alt_stat_name', 29, 'bytes', 'repeated'));
  expect(compare(changed, reference)).toContainEqual({
    name: 'envoy.config.cluster.v3.Cluster.alt_stat_name',
    own: 'repeated bytes = 29',
    reference: 'string = 28',
  });
});

interface Difference {
  name: string;
  own: string;
  reference: string;
}

function compare(left: protobuf.Root, right: protobuf.Root): Difference[] {
  const wanted = describe(right);
  const differences: Difference[] = [];
  for (const [name, text] of describe(left)) {
    const found = wanted.get(name) ?? 'absent';
    if (found !== text) differences.push({ name, own: text, reference: found });
  }
  return differences.filter(item => !inNewer(item.name));
}

/** A member of a message or enum that is new as a whole. */
function inNewer(name: string): boolean {
  return newer.has(name.slice(0, name.lastIndexOf('.')));
}

/** Full name → a line of text, for every message, field, enum value and method. */
function describe(root: protobuf.Root): Map<string, string> {
  const lines = new Map<string, string>();
  const visit = (item: protobuf.ReflectionObject): void => {
    const name = item.fullName.slice(1);
    if (name.startsWith('google.protobuf')) return;
    if (item instanceof protobuf.Enum) {
      lines.set(name, 'enum');
      for (const [value, number] of Object.entries(item.values))
        lines.set(`${name}.${value}`, String(number));
      return;
    }
    if (item instanceof protobuf.Service) {
      for (const method of item.methodsArray) lines.set(`${name}.${method.name}`, methodText(method));
      return;
    }
    if (item instanceof protobuf.Type) {
      lines.set(name, 'message');
      for (const field of item.fieldsArray) lines.set(`${name}.${field.name}`, fieldText(field));
    }
    if (item instanceof protobuf.Namespace) for (const nested of item.nestedArray) visit(nested);
  };
  visit(root);
  return lines;
}

function fieldText(field: protobuf.Field): string {
  field.resolve();
  const type = field.resolvedType?.fullName.slice(1) ?? field.type;
  if (field instanceof protobuf.MapField) return `map<${field.keyType}, ${type}> = ${field.id}`;
  const synthetic = field.options?.proto3_optional === true;
  const oneof = field.partOf && !synthetic ? `oneof ${field.partOf.name} ` : '';
  return `${oneof}${synthetic ? 'optional ' : ''}${field.repeated ? 'repeated ' : ''}${type} = ${field.id}`;
}

function methodText(method: protobuf.Method): string {
  method.resolve();
  const request = `${method.requestStream === true ? 'stream ' : ''}${method.resolvedRequestType?.fullName}`;
  return `${request} → ${method.responseStream === true ? 'stream ' : ''}${method.resolvedResponseType?.fullName}`;
}

function load(names: string[], folders: string[]): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    const found = folders.map(folder => join(folder, target)).find(path => existsSync(path));
    return found ?? join(modules, 'protobufjs', target);
  };
  root.loadSync(names, { keepCase: true });
  root.resolveAll();
  return root;
}

/**
 * The reference files of the packages we have messages of: a message may be in another file there, and the rest of the
 * tree imports files that are not shipped.
 */
function filesWithThePackagesOf(names: string[]): string[] {
  const packageOf = (path: string): string =>
    /^package ([\w.]+);/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
  const packages = new Set(names.map(name => packageOf(join(ownFolder, name))));
  return referenceFolders.flatMap(folder =>
    globSync('**/*.proto', { cwd: folder }).filter(name => packages.has(packageOf(join(folder, name)))),
  );
}
