/**
 * Manifests in, xDS out: each folder of `cases` has `manifests.yaml`, `ask.yaml` (who asks for what) and the resources that
 * each dialect gets. `TULLE_WRITE_GOLDEN=1 npx vitest run test/golden/xds` writes them anew; read the difference.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Codec } from '../../../api/xds/any.ts';
import { Cluster } from '../../../api/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import { print } from '../../../api/xds/print.ts';
import { meshOfManifests } from '../../../control-plane/sources/mesh-of-manifests.ts';
import type { Client, Dialect } from '../../../control-plane/translate/client.ts';
import { type Resources, resourcesOf } from './resources.ts';

interface Ask {
  namespace?: string;
  zone?: string;
  tls?: Client['tls'];
  sidecar?: string[];
  grpc?: string[];
  envoy?: boolean;
}

const folder = join(import.meta.dirname, 'cases');
const isWriting = process.env.TULLE_WRITE_GOLDEN === '1';

describe.each(readdirSync(folder))('%s', name => {
  const at = (file: string): string => join(folder, name, file);
  const ask = parse(readFileSync(at('ask.yaml'), 'utf8')) as Ask;
  const { mesh, problems } = meshOfManifests({
    'manifests.yaml': readFileSync(at('manifests.yaml'), 'utf8'),
  });

  it('has the problems that are written down', () => {
    compare(at('problems.yaml'), problems.length === 0 ? '' : stringify(problems, { lineWidth: 0 }));
  });

  it.each(['sidecar', 'grpc', 'envoy'] as const)('%s', dialect => {
    if (ask[dialect] === undefined) {
      compare(at(`${dialect}.yaml`), '');
      return;
    }
    const asked = ask[dialect];
    const resources = resourcesOf(mesh, clientOf(dialect, ask), typeof asked === 'boolean' ? null : asked);
    expectClosed(resources, asked === true ? [] : (asked as string[]));
    compare(at(`${dialect}.yaml`), stringify(show(resources), { lineWidth: 0 }));
  });
});

function clientOf(dialect: Dialect, ask: Ask): Client {
  return {
    dialect,
    namespace: ask.namespace ?? 'default',
    zone: ask.zone ?? '',
    tls: dialect === 'grpc' ? (ask.tls ?? null) : null,
    outbound: { address: '127.0.0.1', port: 14_001 },
  };
}

/** Whatever was not asked for by name exists, but the one cluster that stands for invalid backends in Envoy. */
function expectClosed(resources: Resources, asked: readonly string[]): void {
  const missing = Object.values(resources).flatMap((kind: ReadonlyMap<string, unknown>) =>
    [...kind].filter(([, resource]) => resource === null).map(([name]) => name),
  );
  expect(missing.filter(name => !asked.includes(name) && name !== 'invalid-backend')).toEqual([]);
}

function show({ listeners, routes, clusters, endpoints }: Resources): Record<string, unknown> {
  return {
    listeners: showAll(Listener, listeners),
    routes: showAll(RouteConfiguration, routes),
    clusters: showAll(Cluster, clusters),
    endpoints: showAll(ClusterLoadAssignment, endpoints),
  };
}

function showAll<T>(codec: Codec<T>, resources: ReadonlyMap<string, T | null>): unknown[] {
  return [...resources].map(([name, message]) =>
    message === null ? { absent: name } : withoutRoots(print(codec, message)),
  );
}

const roots = JSON.stringify(rootCertificates.join('\n')).slice(1, -1);

/** The roots that Node brings along are long, and others with every version. */
function withoutRoots(message: unknown): unknown {
  return JSON.parse(JSON.stringify(message).replaceAll(roots, '(the roots of the runtime)'));
}

/** '' stands for no file. */
function compare(path: string, text: string): void {
  if (isWriting) {
    if (text === '') rmSync(path, { force: true });
    else writeFileSync(path, text);
  }
  expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : '');
}
