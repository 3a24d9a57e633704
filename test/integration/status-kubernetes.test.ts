/**
 * Status of routes and of the mesh, and the election of who writes it, against the API server that KUBECONFIG names. Only
 * objects of this test's namespace are written, as others may use the cluster at the same time.
 */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Mesh } from '../../control-plane/model/model.ts';
import { RecordStore } from '../../control-plane/model/store.ts';
import { KubernetesSource } from '../../control-plane/sources/kubernetes/kubernetes-source.ts';
import type { Condition } from '../../control-plane/status/condition.ts';
import { LeaderElection } from '../../control-plane/status/leader-election.ts';
import { supportedFeatures, writeMeshStatus } from '../../control-plane/status/mesh-status.ts';
import type { AncestorStatus } from '../../control-plane/status/policy-status.ts';
import type { ParentStatus } from '../../control-plane/status/route-status.ts';
import { startStatus } from '../../control-plane/status/status.ts';
import { StatusWriter } from '../../control-plane/status/status-writer.ts';
import { type Clock, ManualClock, systemClock } from '../../runtime/clock.ts';
import { ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { createLogger } from '../../runtime/log.ts';
import { createServerAuthority } from './server-authority.ts';

const { KUBECONFIG = '' } = process.env;
if (KUBECONFIG === '') console.log('skipped: status-kubernetes needs a cluster; set KUBECONFIG');
const onCluster = test.skipIf(KUBECONFIG === '');

const log = createLogger('test', process.env.TULLE_TEST_LOG ?? 'silent');
const namespace = `tulle-status-${randomBytes(3).toString('hex')}`;
/** An installed mesh may write status at the same time: these entries are not its own. */
const controllerName = `${namespace}.tulle.dev/control-plane`;
const routes = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`;
const policies = `/apis/gateway.networking.x-k8s.io/v1alpha1/namespaces/${namespace}/xbackendtrafficpolicies`;
const tlsPolicies = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/backendtlspolicies`;
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
const services = `/api/v1/namespaces/${namespace}/services`;
const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
const meshes = '/apis/gateway.networking.x-k8s.io/v1alpha1/xmeshes';
const wait = { timeout: 15_000 };
const closers: (() => unknown)[] = [];
let api: ApiClient;

interface RouteObject {
  metadata: { generation: number; resourceVersion: string };
  spec: object;
  status?: { parents: ParentStatus[] };
}

function served(path: string): Promise<boolean> {
  return api.get(path).then(
    () => true,
    () => false,
  );
}

function service(name: string, port = 80): object {
  return { metadata: { name }, spec: { selector: { app: name }, ports: [{ port, name: 'http' }] } };
}

const parent = (name: string): object => ({ group: '', kind: 'Service', name });

function route(name: string, backend: string, parents = [parent('web')]): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name },
    spec: { parentRefs: parents, rules: [{ backendRefs: [{ name: backend, port: 80 }] }] },
  };
}

const read = (name: string): Promise<RouteObject> => api.get<RouteObject>(`${routes}/${name}`);

/** Ours as `type=status/reason` with the generation they are about. */
async function conditions(name: string): Promise<string[]> {
  const { status } = await read(name);
  return (status?.parents ?? [])
    .filter(entry => entry.controllerName === controllerName)
    .flatMap(entry => entry.conditions ?? [])
    .map(
      ({ type, status, reason, observedGeneration }) => `${type}=${status}/${reason}@${observedGeneration}`,
    );
}

const good = (generation: number): string[] => [
  `Accepted=True/Accepted@${generation}`,
  `ResolvedRefs=True/ResolvedRefs@${generation}`,
];

/** A store that follows the cluster. */
async function follow(): Promise<RecordStore> {
  const store = new RecordStore({
    trustDomain: 'td',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    clock: systemClock,
    log,
  });
  const source = new KubernetesSource({ api, writer: store, clock: systemClock, random: Math.random, log });
  source.start();
  closers.push(() => source.stop());
  await until(store, () => true);
  return store;
}

function until(store: RecordStore, holds: (mesh: Mesh) => boolean): Promise<void> {
  return vi.waitFor(() => {
    if (store.current === null || !holds(store.current)) throw new Error('not yet');
  }, wait);
}

/** A writer that leads, and the paths that it has written; a rejection of `beforeWrite` stands for the API server's. */
function write(
  store: RecordStore,
  options: {
    recheckMs?: number;
    leading?: () => boolean;
    whenInForce?: () => Promise<void>;
    beforeWrite?: (path: string) => Promise<void>;
  } = {},
): { writer: StatusWriter; writes: string[]; lists: () => number } {
  const writes: string[] = [];
  let lists = 0;
  const writer = new StatusWriter({
    api: {
      get(path, signal) {
        if (path.includes('/grpcroutes?')) lists++;
        return api.get(path, signal);
      },
      async replace<T>(path: string, object: object): Promise<T> {
        if (!path.includes(`/namespaces/${namespace}/`)) return object as T;
        await options.beforeWrite?.(path);
        const written = await api.replace<T>(path, object);
        writes.push(path.replace(`${routes}/`, ''));
        return written;
      },
    },
    store,
    whenInForce: options.whenInForce ?? (() => Promise.resolve()),
    controllerName,
    isLeader: options.leading ?? (() => true),
    clock: systemClock,
    random: Math.random,
    log,
    ...(options.recheckMs === undefined ? {} : { recheckMs: options.recheckMs }),
  });
  closers.push(() => writer.stop());
  writer.leadershipChanged();
  return { writer, writes, lists: () => lists };
}

beforeAll(async () => {
  if (KUBECONFIG === '') return;
  api = new ApiClient(await findCredentials(process.env));
  await api.create('/api/v1/namespaces', { metadata: { name: namespace } });
  await api.create(services, service('web'));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(async () => {
  if (KUBECONFIG === '') return;
  await api.delete(`/api/v1/namespaces/${namespace}`);
  await api.close();
});

onCluster(
  'status follows a route and what it refers to, and a steady cluster sees no write',
  async context => {
    context.skip(!(await served(routes)), 'the cluster has no CRD of HTTPRoute');
    const store = await follow();
    const { writes, lists } = write(store, { recheckMs: 200 });
    await api.create(routes, route('a', 'v1'));
    const missing = ['Accepted=True/Accepted@1', 'ResolvedRefs=False/BackendNotFound@1'];
    await expect.poll(() => conditions('a'), wait).toEqual(missing);

    const { status: before } = await read('a');
    await api.create(services, service('v1'));
    await expect.poll(() => conditions('a'), wait).toEqual(good(1));
    const { status: after } = await read('a');
    const times = (of: typeof before): string[] =>
      (of?.parents.find(entry => entry.controllerName === controllerName)?.conditions ?? []).map(
        (condition: Condition) => condition.lastTransitionTime,
      );
    expect(times(after)[0]).toBe(times(before)[0]);

    const seen = lists();
    await expect.poll(lists, wait).toBeGreaterThan(seen + 3);
    expect(writes).toEqual(['a/status', 'a/status']);

    const { spec } = await read('a');
    await api.patch(`${routes}/a`, 'application/merge-patch+json', {
      spec: { ...spec, parentRefs: [80, 9].map(port => ({ ...parent('web'), port })) },
    });
    await expect
      .poll(() => conditions('a'), wait)
      .toEqual([...good(2), 'Accepted=False/NoMatchingParent@2', 'ResolvedRefs=True/ResolvedRefs@2']);
    // Somebody takes it away; the next look puts it right.
    await api.patch(`${routes}/a/status`, 'application/merge-patch+json', { status: { parents: [] } });
    await expect.poll(() => conditions('a'), wait).toHaveLength(4);
    await api.delete(`${services}/web`);
    await expect.poll(() => conditions('a'), wait).toEqual([]);
    await api.create(services, service('web'));
    await api.delete(`${routes}/a`);
  },
);

onCluster(
  'what others wrote stays, what an earlier leader left goes, and a conflict is tried again',
  async context => {
    context.skip(!(await served(routes)), 'the cluster has no CRD of HTTPRoute');
    const foreign = {
      parentRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' },
      controllerName: 'example.com/gateway',
      conditions: [
        {
          type: 'Accepted',
          status: 'True',
          reason: 'Accepted',
          message: '',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    };
    const stale = { ...foreign, parentRef: parent('web'), controllerName };
    for (const [name, parents] of [
      ['b', [parent('web')]],
      ['c', [{ kind: 'Gateway', name: 'g' }]],
    ] as const) {
      await api.create(routes, route(name, 'web', [...parents]));
      await api.patch(`${routes}/${name}/status`, 'application/merge-patch+json', {
        status: { parents: [foreign, { ...stale, parentRef: parent('gone') }] },
      });
    }
    const store = await follow();
    await until(store, mesh => mesh.routes.has(`HTTPRoute/${namespace}/b`));
    const known = async (name: string): Promise<unknown[]> =>
      ((await read(name)).status?.parents ?? []).filter(entry =>
        [controllerName, foreign.controllerName].includes(entry.controllerName),
      );
    let conflicts = 0;
    const { writes } = write(store, {
      async beforeWrite() {
        if (conflicts++ === 0)
          for (const name of ['b', 'c'])
            await api.patch(`${routes}/${name}`, 'application/merge-patch+json', {
              metadata: { labels: { touched: 'yes' } },
            });
      },
    });
    await expect.poll(() => [...writes].sort(), wait).toEqual(['b/status', 'c/status']);
    expect(conflicts).toBeGreaterThanOrEqual(3);
    expect(await conditions('b')).toEqual(good(1));
    expect(await known('b')).toMatchObject([foreign, { parentRef: parent('web') }]);
    expect(await known('c')).toEqual([foreign]);
  },
);

onCluster(
  'a route whose status cannot be written does not hold up another, and is tried again',
  async context => {
    context.skip(!(await served(routes)), 'the cluster has no CRD of HTTPRoute');
    const store = await follow();
    for (const name of ['broken', 'sound']) await api.create(routes, route(name, 'web'));
    await until(store, mesh =>
      ['broken', 'sound'].every(name => mesh.routes.has(`HTTPRoute/${namespace}/${name}`)),
    );
    let refusing = true;
    let refused = 0;
    const { writes } = write(store, {
      beforeWrite(path) {
        if (!refusing || !path.endsWith('/broken/status')) return Promise.resolve();
        refused++;
        return Promise.reject(new ApiError('PUT', path, 403, 'forbidden'));
      },
    });
    await expect.poll(() => conditions('sound'), wait).toEqual(good(1));
    await expect.poll(() => refused, wait).toBeGreaterThan(1);
    expect(await conditions('broken')).toEqual([]);
    refusing = false;
    await expect.poll(() => conditions('broken'), wait).toEqual(good(1));
    expect(writes).toEqual(['sound/status', 'broken/status']);
  },
);

onCluster('a change is told when it is in force, and not the one before the last', async context => {
  context.skip(!(await served(routes)), 'the cluster has no CRD of HTTPRoute');
  const store = await follow();
  let waiting: (() => void)[] | null = null;
  const { writes, lists } = write(store, {
    whenInForce: () =>
      waiting === null ? Promise.resolve() : new Promise<void>(resolve => waiting?.push(resolve)),
  });
  await expect.poll(lists, wait).toBe(1);
  waiting = [] as (() => void)[];
  const holdsGeneration = (generation: number): Promise<void> =>
    until(store, mesh => mesh.routes.get(`HTTPRoute/${namespace}/f`)?.generation === generation);
  await api.create(routes, route('f', 'web'));
  await holdsGeneration(1);
  await expect.poll(() => waiting?.length, wait).toBe(1);
  await api.patch(`${routes}/f`, 'application/merge-patch+json', { spec: { hostnames: ['a.example'] } });
  await holdsGeneration(2);
  await expect.poll(() => waiting?.length, wait).toBe(2);
  const [first, second] = waiting;
  first();
  // Anything that is told after it shows that the first was passed over.
  await api.create(routes, route('g', 'web'));
  await expect.poll(() => waiting?.length, wait).toBe(3);
  waiting[2]();
  await expect.poll(() => writes, wait).toEqual(['g/status']);
  second();
  await expect.poll(() => conditions('f'), wait).toEqual(good(2));
  expect(writes).toEqual(['g/status', 'f/status']);
});

onCluster('who does not lead writes nothing, and begins when it leads', async context => {
  context.skip(!(await served(routes)), 'the cluster has no CRD of HTTPRoute');
  const store = await follow();
  let leading = false;
  const { writer, writes, lists } = write(store, { leading: () => leading });
  await api.create(routes, route('d', 'web'));
  await until(store, mesh => mesh.routes.has(`HTTPRoute/${namespace}/d`));
  expect([writes, lists()]).toEqual([[], 0]);
  leading = true;
  writer.leadershipChanged();
  await expect.poll(() => conditions('d'), wait).toEqual(good(1));
});

onCluster(
  'one of two replicas holds the Lease, and the other takes it when it is given up or left',
  async () => {
    const clock = new ManualClock(Date.now());
    const candidate = (identity: string): LeaderElection => {
      const election = new LeaderElection({
        api,
        namespace,
        name: 'leader',
        identity,
        clock,
        log,
        onChange: () => {},
      });
      election.start();
      return election;
    };
    const holder = async (): Promise<unknown> =>
      (await api.get<{ spec: { holderIdentity: string } }>(`${leases}/leader`)).spec.holderIdentity;
    /** Time goes on as fast as requests are answered, until the one leads. */
    const leads = (election: LeaderElection): Promise<void> =>
      vi.waitFor(
        () => {
          if (election.leading) return;
          clock.advance(1000);
          throw new Error('not yet');
        },
        { timeout: 15_000, interval: 50 },
      );
    const a = candidate('a');
    await leads(a);
    const b = candidate('b');
    expect(await holder()).toBe('a');
    await a.stop();
    await leads(b);
    expect(await holder()).toBe('b');
    // As if it had crashed: it no longer renews.
    const lease = await api.get<{ metadata: object; spec: object }>(`${leases}/leader`);
    await b.stop();
    await api.patch(`${leases}/leader`, 'application/merge-patch+json', { spec: lease.spec });
    const c = candidate('c');
    await vi.waitFor(async () => expect(await holder()).toBe('b'), wait);
    await leads(c);
    expect(await holder()).toBe('c');
    await c.stop();
    expect(await holder()).toBe('');
  },
);

onCluster('policies say at each Service what has become of them', async context => {
  context.skip(!(await served(policies)), 'the cluster has no CRD of XBackendTrafficPolicy');
  const store = await follow();
  const { writes, lists } = write(store, { recheckMs: 200 });
  const policy = (name: string, ...targets: string[]): object => ({
    apiVersion: 'gateway.networking.x-k8s.io/v1alpha1',
    kind: 'XBackendTrafficPolicy',
    metadata: { name },
    spec: { targetRefs: targets.map(parent), retryConstraint: {} },
  });
  interface PolicyObject {
    status?: { ancestors?: AncestorStatus[] };
  }
  const outcome = async (name: string): Promise<string[]> =>
    ((await api.get<PolicyObject>(`${policies}/${name}`)).status?.ancestors ?? [])
      .filter(entry => entry.controllerName === controllerName)
      .flatMap(({ ancestorRef, conditions = [] }) =>
        conditions.map(
          ({ type, status, reason, observedGeneration }) =>
            `${ancestorRef.name} ${type}=${status}/${reason}@${observedGeneration}`,
        ),
      );
  interface ServiceObject {
    status: { conditions?: Condition[] };
  }
  const affected = async (): Promise<string[]> =>
    ((await api.get<ServiceObject>(`${services}/web`)).status.conditions ?? []).map(
      ({ type, message }) => `${type}: ${message}`,
    );
  const foreign = { type: 'example.com/Seen', status: 'True', reason: 'Seen', message: '' };
  await api.patch(`${services}/web/status`, 'application/merge-patch+json', {
    status: { conditions: [{ ...foreign, lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  });
  const seen = 'example.com/Seen: ';
  const affectedBy = (name: string): string[] => [
    seen,
    `${namespace}.tulle.dev/XBackendTrafficPolicyAffected: Affected by XBackendTrafficPolicy ${namespace}/${name}`,
  ];
  await api.create(policies, policy('p', 'web', 'gone'));
  const found = ['web Accepted=True/Accepted@1', 'gone Accepted=False/TargetNotFound@1'];
  await expect.poll(() => outcome('p'), wait).toEqual(found);
  await expect.poll(affected, wait).toEqual(affectedBy('p'));
  expect(store.current?.services.get(`${namespace}/web`)?.policy?.budget?.percent).toBe(20);
  // By name, as both may be of the same second.
  await api.create(policies, policy('q', 'web'));
  await expect.poll(() => outcome('q'), wait).toEqual(['web Accepted=False/Conflicted@1']);
  await api.delete(`${policies}/p`);
  await expect.poll(() => outcome('q'), wait).toEqual(['web Accepted=True/Accepted@1']);
  await expect.poll(affected, wait).toEqual(affectedBy('q'));
  // A steady cluster sees no write.
  const looked = lists();
  await expect.poll(lists, wait).toBeGreaterThan(looked + 3);
  await api.delete(`${policies}/q`);
  await expect.poll(affected, wait).toEqual([seen]);
  expect(writes.filter(path => path.endsWith('/web/status'))).toHaveLength(3);
  expect(writes).toHaveLength(6);
});

onCluster('a BackendTLSPolicy follows its ConfigMap, and says what has become of it', async context => {
  context.skip(!(await served(tlsPolicies)), 'the cluster has no CRD of BackendTLSPolicy');
  const store = await follow();
  const { writes, lists } = write(store, { recheckMs: 200 });
  const policy = (name: string, sectionName?: string): object => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'BackendTLSPolicy',
    metadata: { name },
    spec: {
      targetRefs: [{ ...parent('web'), ...(sectionName === undefined ? {} : { sectionName }) }],
      validation: {
        hostname: 'web.test',
        caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'authority' }],
      },
    },
  });
  const outcome = async (name: string): Promise<string[]> =>
    (
      (await api.get<{ status?: { ancestors?: AncestorStatus[] } }>(`${tlsPolicies}/${name}`)).status
        ?.ancestors ?? []
    )
      .filter(entry => entry.controllerName === controllerName)
      .flatMap(({ ancestorRef, conditions = [] }) =>
        conditions.map(({ type, status, reason, observedGeneration }) =>
          [
            ancestorRef.name,
            ancestorRef.sectionName ?? '',
            `${type}=${status}/${reason}@${observedGeneration}`,
          ].join(' '),
        ),
      );
  const tls = () => store.current?.services.get(`${namespace}/web`)?.ports[0].backendTls;
  const { pem } = createServerAuthority();
  await api.create(tlsPolicies, policy('a'));
  const missing = [
    'web  Accepted=False/NoValidCACertificate@1',
    'web  ResolvedRefs=False/InvalidCACertificateRef@1',
  ];
  await expect.poll(() => outcome('a'), wait).toEqual(missing);
  expect(tls()).toMatchObject({ kind: 'refused', origin: expect.stringContaining('BackendTLSPolicy/') });
  await api.create(configMaps, { metadata: { name: 'authority' }, data: { 'ca.crt': pem } });
  const found = ['web  Accepted=True/Accepted@1', 'web  ResolvedRefs=True/ResolvedRefs@1'];
  await expect.poll(() => outcome('a'), wait).toEqual(found);
  expect(tls()).toMatchObject({ kind: 'verified', authorities: pem });
  // The first by name as well, as both may be of the same second. One for the port goes before both.
  await api.create(tlsPolicies, policy('b'));
  await expect
    .poll(() => outcome('b'), wait)
    .toEqual(['web  Accepted=False/Conflicted@1', 'web  ResolvedRefs=True/ResolvedRefs@1']);
  await api.create(tlsPolicies, policy('c', 'http'));
  const atPort = found.map(line => line.replace('web ', 'web http'));
  await expect.poll(() => outcome('c'), wait).toEqual(atPort);
  const looked = lists();
  await expect.poll(lists, wait).toBeGreaterThan(looked + 3);
  expect(writes.filter(path => path.endsWith('/a/status'))).toHaveLength(2);
  await api.delete(`${tlsPolicies}/a`);
  await expect.poll(() => outcome('b'), wait).toEqual(found);
  await api.delete(`${configMaps}/authority`);
  await expect.poll(() => outcome('b'), wait).toEqual(missing);
  expect(tls()).toMatchObject({ kind: 'refused', origin: expect.stringContaining('BackendTLSPolicy/') });
  for (const name of ['b', 'c']) await api.delete(`${tlsPolicies}/${name}`);
  await until(store, () => tls() === null);
});

/** A replica of the control plane as far as it writes status, by the Lease `lease`; `writers` notes who wrote a status. */
function replica(
  store: RecordStore,
  lease: string,
  identity: string,
  writers: string[],
  clock: Clock = systemClock,
): { stop(): Promise<void>; kill(): void } {
  let killed = false;
  /** What a process that is gone asks for never ends. */
  const alive = <T>(call: () => Promise<T>): Promise<T> => (killed ? new Promise<T>(() => {}) : call());
  const status = startStatus({
    api: {
      // The XMesh is of the whole cluster, and has a test of its own.
      get: (path, signal) =>
        path.startsWith(meshes)
          ? Promise.reject(new ApiError('GET', path, 404, 'not found'))
          : alive(() => api.get(path, signal)),
      create: (path, object) => alive(() => api.create(path, object)),
      patch: (path, type, patch) => alive(() => api.patch(path, type, patch)),
      replace<T>(path: string, object: object): Promise<T> {
        if (!path.includes(`/namespaces/${namespace}/`)) return Promise.resolve(object as T);
        if (path.endsWith('/status') && !killed) writers.push(identity);
        return alive(() => api.replace<T>(path, object));
      },
    },
    store,
    whenInForce: () => Promise.resolve(),
    controllerName,
    namespace,
    leaseName: lease,
    identity,
    clock,
    random: Math.random,
    log,
  });
  closers.push(() => (killed ? undefined : status.stop()));
  return {
    stop: () => status.stop(),
    kill() {
      killed = true;
    },
  };
}

onCluster('replicas together: one leads and writes; when it stops, the other goes on', async context => {
  context.skip(!(await served(routes)), 'the cluster has no CRD of HTTPRoute');
  const store = await follow();
  await until(store, mesh => mesh.services.has(`${namespace}/web`));
  const writers: string[] = [];
  const first = replica(store, 'replicas', 'first', writers);
  await vi.waitFor(() => api.get(`${leases}/replicas`), wait);
  replica(store, 'replicas', 'second', writers);
  await api.create(routes, route('e', 'web'));
  await expect.poll(() => conditions('e'), wait).toEqual(good(1));
  await first.stop();
  await api.patch(`${routes}/e`, 'application/merge-patch+json', {
    spec: { hostnames: ['a.example'] },
  });
  await expect.poll(() => conditions('e'), wait).toEqual(good(2));
  expect([...new Set(writers)]).toEqual(['first', 'second']);
});

onCluster(
  'a leader that is killed writes no more, and the other writes when its Lease is over',
  async context => {
    context.skip(!(await served(routes)), 'the cluster has no CRD of HTTPRoute');
    const store = await follow();
    await until(store, mesh => mesh.services.has(`${namespace}/web`));
    const clock = new ManualClock(Date.now());
    /** Time goes on as fast as requests are answered, in steps of `ms`; answers how many. */
    const later = async (generation: number, ms: number): Promise<number> => {
      let steps = 0;
      await vi.waitFor(
        async () => {
          if (isDeepStrictEqual(await conditions('killed'), good(generation))) return;
          clock.advance(ms);
          steps++;
          throw new Error('not yet');
        },
        { timeout: 30_000, interval: 50 },
      );
      return steps;
    };
    const writers: string[] = [];
    const first = replica(store, 'killed', 'first', writers, clock);
    await vi.waitFor(() => api.get(`${leases}/killed`), wait);
    replica(store, 'killed', 'second', writers, clock);
    await api.create(routes, route('killed', 'web'));
    // Less than the time of a renewal in all: however slow the API server is, the first one leads.
    await later(1, 1);
    expect(new Set(writers)).toEqual(new Set(['first']));
    first.kill();
    await api.patch(`${routes}/killed`, 'application/merge-patch+json', {
      spec: { hostnames: ['a.example'] },
    });
    await until(store, mesh => mesh.routes.get(`HTTPRoute/${namespace}/killed`)?.generation === 2);
    // Not before the 15 s that the holder has promised are over.
    expect(await later(2, 1000)).toBeGreaterThan(12);
    expect(writers.at(-1)).toBe('second');
  },
);

onCluster('the XMesh is made, filled and then left alone', async context => {
  context.skip(!(await served(meshes)), 'the cluster has no CRD of XMesh');
  const before = await api.get<{ items: unknown[] }>(meshes);
  context.skip(before.items.length > 0, 'the cluster has an XMesh already');
  closers.push(() => api.delete(`${meshes}/tulle`).catch(() => undefined));
  await writeMeshStatus(api, Date.now(), log);
  type Mesh = {
    metadata: { resourceVersion: string };
    status: { conditions: Condition[]; supportedFeatures: object[] };
  };
  const mesh = await api.get<Mesh>(`${meshes}/tulle`);
  expect(mesh.status.conditions).toMatchObject([
    { type: 'Accepted', status: 'True', reason: 'Accepted', observedGeneration: 1 },
  ]);
  expect(mesh.status.supportedFeatures).toEqual(supportedFeatures.map(name => ({ name })));
  await writeMeshStatus(api, Date.now() + 60_000, log);
  expect((await api.get<Mesh>(`${meshes}/tulle`)).metadata.resourceVersion).toBe(
    mesh.metadata.resourceVersion,
  );
  await api.patch(`${meshes}/tulle`, 'application/merge-patch+json', {
    spec: { parametersRef: { group: '', kind: 'ConfigMap', name: 'x', namespace } },
  });
  await writeMeshStatus(api, Date.now(), log);
  expect((await api.get<Mesh>(`${meshes}/tulle`)).status.conditions).toMatchObject([
    { type: 'Accepted', status: 'False', reason: 'InvalidParameters', observedGeneration: 2 },
  ]);
});

onCluster('without the CRD of XMesh nothing is done', async () => {
  const calls: string[] = [];
  await writeMeshStatus(
    {
      get: path => Promise.reject(new ApiError('GET', path, 404, 'not found')),
      create: path => Promise.reject(new Error(`create ${calls.push(path)}`)),
      replace: path => Promise.reject(new Error(`replace ${calls.push(path)}`)),
    },
    0,
    log,
  );
  expect(calls).toEqual([]);
});
