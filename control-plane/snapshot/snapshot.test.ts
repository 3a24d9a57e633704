import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../runtime/log.ts';
import type { Service } from '../model/model.ts';
import type { Client, Dialect } from '../translate/client.ts';
import type { ResourceKind } from '../translate/dialect.ts';
import {
  endpoint,
  endpoints,
  FixtureStore,
  type MeshParts,
  mesh,
  port,
  route,
  rule,
  service,
  workload,
} from '../translate/mesh.fixture.ts';
import { Snapshot, type WatchedNames, type WatchedResource, type Watcher } from './snapshot.ts';

const log = createLogger('test', 'silent');

function clientOf(dialect: Dialect, namespace = 'default', zone = ''): Client {
  return { dialect, namespace, zone, tls: null, outbound: { address: '127.0.0.1', port: 14_001 } };
}

const sidecar = clientOf('sidecar');

class Recorder implements Watcher {
  readonly woken: string[] = [];
  resourceChanged(watched: WatchedResource): void {
    this.woken.push(`${watched.kind} ${watched.name}`);
  }
  namesChanged(watched: WatchedNames): void {
    this.woken.push(`names ${watched.kind}`);
  }
}

const parts: MeshParts = {
  services: [service('a', { addresses: ['10.0.0.1'] }), service('b', { addresses: ['10.0.0.2'] })],
  endpoints: [
    endpoints('default/a', { name: 'port-80', port: 80 }, [endpoint('10.1.0.1', { pod: 'default/a-1' })]),
    endpoints('default/b', { name: 'port-80', port: 80 }, [endpoint('10.1.0.2', { pod: 'default/b-1' })]),
  ],
  workloads: [
    workload('a-1', { addresses: ['10.1.0.1'], services: ['default/a'] }),
    workload('b-1', { addresses: ['10.1.0.2'], services: ['default/b'] }),
  ],
  routes: [],
};

const watched: [ResourceKind, string][] = [
  ['listener', 'outbound/10.0.0.1:80'],
  ['listener', 'outbound/10.0.0.9:80'],
  ['routes', 'route/default/a:80'],
  ['cluster', 'service/default/a:80'],
  ['endpoints', 'service/default/a:80'],
  ['endpoints', 'service/default/b:80'],
];

function start() {
  const store = new FixtureStore(mesh(parts));
  const snapshot = new Snapshot(store, log);
  const recorder = new Recorder();
  const resources = watched.map(([kind, name]) => snapshot.watchResource(sidecar, kind, name, recorder));
  const change = (next: Partial<MeshParts>) => {
    recorder.woken.length = 0;
    store.set({ ...parts, ...next });
    return recorder.woken;
  };
  return { store, snapshot, recorder, resources, change };
}

describe('a change of the mesh', () => {
  it('wakes nobody if it made no difference', () => {
    const { change } = start();
    expect(change({ services: [...(parts.services ?? []), service('c')] })).toEqual([]);
    expect(change({ services: parts.services?.map(same => ({ ...same })) ?? [] })).toEqual([]);
  });

  it('of endpoints wakes those of the assignment alone', () => {
    const { change } = start();
    const moved = endpoints('default/a', { name: 'port-80', port: 80 }, [endpoint('10.1.0.3')]);
    expect(change({ endpoints: [moved, ...(parts.endpoints?.slice(1) ?? [])] })).toEqual([
      'endpoints service/default/a:80',
    ]);
  });

  it('of a pod wakes those of the assignments that it is in', () => {
    const { change } = start();
    const relabelled = workload('a-1', { addresses: ['10.1.0.1'], services: ['default/a'], version: 'v2' });
    expect(change({ workloads: [relabelled, ...(parts.workloads?.slice(1) ?? [])] })).toEqual([
      'endpoints service/default/a:80',
    ]);
  });

  it('of routes wakes those of the routes alone', () => {
    const { change } = start();
    expect(change({ routes: [route('r', 'a', [rule({ 'b:80': 1 })])] })).toEqual([
      'routes route/default/a:80',
    ]);
  });

  it('that brings what was missing wakes those who asked for it', () => {
    const { change } = start();
    const late = service('late', { addresses: ['10.0.0.9'] });
    expect(change({ services: [...(parts.services ?? []), late] })).toEqual([
      'listener outbound/10.0.0.9:80',
    ]);
  });

  it('back to what was before gives the version from before', () => {
    const { resources, change } = start();
    const before = resources.map(({ current }) => current?.version);
    change({ services: [] });
    expect(resources[0].current).toBe(null);
    change({});
    expect(resources.map(({ current }) => current?.version)).toEqual(before);
  });

  it('that cannot be translated leaves the last good resource in force', () => {
    const { resources, change } = start();
    const before = resources[4].current?.version;
    const broken = workload('a-1', {
      addresses: ['10.1.0.1'],
      services: ['default/a'],
      serviceAccount: 'Not a name',
    });
    expect(change({ workloads: [broken, ...(parts.workloads?.slice(1) ?? [])] })).toEqual([]);
    expect(resources[4].current?.version).toBe(before);
  });
});

describe('sharing', () => {
  it('gives clients of one scope the same bytes, and forgets what nobody watches', () => {
    const { snapshot } = start();
    const [one, two] = [new Recorder(), new Recorder()];
    const name = 'service/default/b:80';
    const size = snapshot.size;
    const first = snapshot.watchResource(sidecar, 'cluster', name, one);
    const second = snapshot.watchResource(clientOf('sidecar', 'another', 'zone'), 'cluster', name, two);
    expect(second).toBe(first);
    expect(snapshot.size).toBe(size + 1);
    snapshot.unwatch(first, one);
    expect(snapshot.size).toBe(size + 1);
    snapshot.unwatch(second, two);
    expect(snapshot.size).toBe(size);
  });
});

/** Meshes out of few names, so that things meet. */
const names = ['a', 'b', 'c'];
const nameOf = fc.constantFrom(...names);
const serviceOf: fc.Arbitrary<Service> = fc
  .record({
    name: nameOf,
    protocol: fc.constantFrom('http', 'opaque', 'detect', 'grpc'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.1.0.1'),
    preferClose: fc.boolean(),
    clientAffinity: fc.boolean(),
    kind: fc.constantFrom('cluster-ip', 'headless', 'external-name'),
  })
  .map(({ name, protocol, address, preferClose, kind }) =>
    service(name, {
      addresses: [address],
      preferClose,
      kind,
      ports: [port(80, { protocol })],
    } as Partial<Service>),
  );
const workloadOf = fc
  .record({
    name: nameOf,
    address: fc.constantFrom('10.1.0.1', '10.1.0.2'),
    meshed: fc.boolean(),
    service: nameOf,
    zone: fc.constantFrom('', 'z'),
  })
  .map(({ name, address, meshed, service, zone }) =>
    workload(name, { addresses: [address], meshed, zone, services: [`default/${service}`] }),
  );
const endpointsOf = fc
  .record({
    name: nameOf,
    list: fc.array(
      fc.record({
        address: fc.constantFrom('10.1.0.1', '10.1.0.2'),
        pod: nameOf,
        ready: fc.boolean(),
        zone: fc.constantFrom('', 'z', 'y'),
      }),
    ),
  })
  .map(({ name, list }) =>
    endpoints(
      `default/${name}`,
      { name: 'port-80', port: 80 },
      list.map(({ address, pod, ready, zone }) => endpoint(address, { pod: `default/${pod}`, ready, zone })),
    ),
  );
const routeOf = fc
  .record({
    name: nameOf,
    parent: nameOf,
    backend: nameOf,
    weight: fc.nat(2),
    namespace: fc.constantFrom('default', 'team'),
    kind: fc.constantFrom('HTTPRoute', 'GRPCRoute', 'TrafficSplit'),
  })
  .map(({ name, parent, backend, weight, namespace, kind }) =>
    route(name, parent, [rule({ [`${backend}:80`]: weight })], { namespace, kind: kind as 'HTTPRoute' }),
  );
const meshOf: fc.Arbitrary<MeshParts> = fc.record({
  services: fc.array(serviceOf, { maxLength: 3 }),
  workloads: fc.array(workloadOf, { maxLength: 3 }),
  endpoints: fc.array(endpointsOf, { maxLength: 3 }),
  routes: fc.array(routeOf, { maxLength: 3 }),
});

/** One kind of records changes at a time: otherwise another change would hide what a translation forgot that it read. */
const stepOf: fc.Arbitrary<MeshParts> = fc.oneof(
  fc.record({ services: fc.array(serviceOf, { maxLength: 3 }) }),
  fc.record({ workloads: fc.array(workloadOf, { maxLength: 3 }) }),
  fc.record({ endpoints: fc.array(endpointsOf, { maxLength: 3 }) }),
  fc.record({ routes: fc.array(routeOf, { maxLength: 3 }) }),
);

function everything(): [Client, ResourceKind, string][] {
  const asked: [Client, ResourceKind, string][] = [];
  for (const namespace of ['default', 'team']) {
    const client = clientOf('sidecar', namespace, 'z');
    for (const address of ['10.0.0.1', '10.0.0.2', '10.1.0.1', '10.1.0.2'])
      asked.push([client, 'listener', `outbound/${address}:80`]);
    for (const name of names) {
      asked.push([client, 'listener', `outbound/${name}.default.svc.cluster.local:80`]);
      asked.push([client, 'listener', `inbound/default/${name}`]);
      asked.push(
        [client, 'routes', `route/default/${name}:80`],
        [client, 'routes', `route/default/${name}:80@team`],
      );
      asked.push([clientOf('grpc', namespace), 'listener', `${name}.default:80`]);
      asked.push([clientOf('grpc', namespace), 'routes', `route/default/${name}:80`]);
      for (const dialect of ['sidecar', 'grpc', 'envoy'] as const) {
        for (const kind of ['cluster', 'endpoints'] as const) {
          asked.push([clientOf(dialect, namespace, 'z'), kind, `service/default/${name}:80`]);
          asked.push([clientOf(dialect, namespace, 'z'), kind, `pod/default/${name}:80`]);
        }
      }
    }
    asked.push(
      [clientOf('envoy', namespace), 'routes', 'outbound'],
      [clientOf('envoy'), 'listener', 'outbound'],
    );
  }
  return asked;
}

describe('any sequence of changes', () => {
  it('ends with what a control plane has that starts from the last state', () => {
    const asked = everything();
    fc.assert(
      fc.property(meshOf, fc.array(stepOf, { minLength: 1, maxLength: 8 }), (first, steps) => {
        let state = first;
        const store = new FixtureStore(mesh(state));
        const live = new Snapshot(store, log);
        const recorder = new Recorder();
        const followed = asked.map(([client, kind, name]) =>
          live.watchResource(client, kind, name, recorder),
        );
        const wildcard = live.watchNames(clientOf('envoy'), 'cluster', recorder);
        for (const step of steps) {
          state = { ...state, ...step };
          store.set(state);
        }
        const fresh = new Snapshot(new FixtureStore(mesh(state)), log);
        asked.forEach(([client, kind, name], index) => {
          const expected = fresh.watchResource(client, kind, name, recorder).current?.version;
          expect(
            followed[index].current?.version,
            `${client.dialect} ${client.namespace} ${kind} ${name}`,
          ).toBe(expected);
        });
        expect(wildcard.current).toEqual(fresh.watchNames(clientOf('envoy'), 'cluster', recorder).current);
      }),
      { numRuns: 300 },
    );
  });
});
