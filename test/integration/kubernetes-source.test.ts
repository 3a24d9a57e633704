/** The Kubernetes source against the API server that KUBECONFIG names. */
import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Mesh } from '../../control-plane/model/model.ts';
import { RecordStore } from '../../control-plane/model/store.ts';
import { KubernetesSource } from '../../control-plane/sources/kubernetes/kubernetes-source.ts';
import { Reflector } from '../../control-plane/sources/kubernetes/reflector.ts';
import { TrustBundlePublisher } from '../../control-plane/sources/kubernetes/trust-bundle.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { createLogger } from '../../runtime/log.ts';
import { createServerAuthority } from './server-authority.ts';

const { KUBECONFIG = '' } = process.env;
if (KUBECONFIG === '') console.log('skipped: kubernetes-source needs a cluster; set KUBECONFIG');
const onCluster = test.skipIf(KUBECONFIG === '');

const log = createLogger('test', process.env.TULLE_TEST_LOG ?? 'silent');
const namespace = `tulle-source-${randomBytes(3).toString('hex')}`;
const namespaced = `/api/v1/namespaces/${namespace}`;
const closers: (() => unknown)[] = [];
let api: ApiClient;

/** A CRD that takes anything. */
function definition(
  group: string,
  version: string,
  plural: string,
  kind: string,
): { metadata: { name: string } } {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
  return definition;
}

/** Creates a CRD, and the first object when it is served. */
async function define(crd: { metadata: { name: string } }, path: string, object: object): Promise<void> {
  await api.create(crds, crd);
  closers.push(() => api.delete(`${crds}/${crd.metadata.name}`).catch(() => undefined));
  await vi.waitFor(() => api.create(path, object), { timeout: 20_000 });
}

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

function service(name: string): object {
  return {
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80, name: 'http', targetPort: 8080 }] },
  };
}

const begin = (options: { absentMs?: number } = {}): RecordStore => beginBoth(options).store;

function beginBoth(options: { absentMs?: number; api?: Pick<ApiClient, 'get' | 'watch'> } = {}): {
  store: RecordStore;
  source: KubernetesSource;
} {
  const store = new RecordStore({
    trustDomain: 'td',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    clock: systemClock,
    log,
  });
  const source = new KubernetesSource({
    api,
    writer: store,
    clock: systemClock,
    random: Math.random,
    log,
    ...options,
  });
  source.start();
  closers.push(() => source.stop());
  return { store, source };
}

/** Waits for a state; the test's own timeout ends the wait. */
function until(store: RecordStore, holds: (mesh: Mesh) => boolean): Promise<Mesh> {
  return new Promise(resolve => {
    const look = (mesh: Mesh | null): boolean => {
      if (mesh === null || !holds(mesh)) return false;
      unsubscribe();
      resolve(mesh);
      return true;
    };
    const unsubscribe = store.subscribe(look);
    look(store.current);
  });
}

beforeAll(async () => {
  if (KUBECONFIG === '') return;
  api = new ApiClient(await findCredentials(process.env));
  await api.create('/api/v1/namespaces', {
    metadata: { name: namespace, annotations: { 'tulle.dev/mtls': 'strict' } },
  });
  // Pods need it, and a controller makes it.
  const account = `${namespaced}/serviceaccounts/default`;
  await vi.waitFor(() => api.get(account), { timeout: 20_000 });
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

afterAll(async () => {
  if (KUBECONFIG === '') return;
  await api.delete(`/api/v1/namespaces/${namespace}`);
  await api.close();
});

onCluster('objects of the cluster become the mesh, and their changes arrive', async () => {
  const store = begin();
  await until(store, mesh => mesh.services.has('default/kubernetes'));
  await api.create(`${namespaced}/services`, service('web'));
  const mesh = await until(store, mesh => mesh.services.has(`${namespace}/web`));
  expect(mesh.services.get(`${namespace}/web`)).toMatchObject({
    kind: 'cluster-ip',
    ports: [
      { port: 80, name: 'http', targetPort: 8080, protocol: 'http', clientTls: false, backendTls: null },
    ],
  });

  // A node without a kubelet, so that the pod has the status that it gets here.
  await api.create('/api/v1/nodes', {
    metadata: { name: namespace, labels: { 'topology.kubernetes.io/zone': 'z1' } },
    spec: { unschedulable: true },
  });
  closers.push(() => api.delete(`/api/v1/nodes/${namespace}`));
  await api.create(`${namespaced}/pods`, {
    metadata: { name: 'web-1', labels: { app: 'web', 'tulle.dev/injected': 'true' } },
    spec: { containers: [{ name: 'app', image: 'localhost/none:1' }], nodeName: namespace },
  });
  const status = {
    status: {
      phase: 'Running',
      podIP: '10.244.9.9',
      podIPs: [{ ip: '10.244.9.9' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
  await api.patch(`${namespaced}/pods/web-1/status`, 'application/merge-patch+json', status);
  const joined = await until(
    store,
    mesh => mesh.endpoints.get(`${namespace}/web`)?.ports[0]?.endpoints[0]?.ready === true,
  );
  expect(joined.endpoints.get(`${namespace}/web`)?.ports).toEqual([
    {
      name: 'http',
      port: 8080,
      endpoints: [{ address: '10.244.9.9', ready: true, pod: `${namespace}/web-1`, zone: 'z1' }],
    },
  ]);
  expect(joined.workloads.get(`${namespace}/web-1`)).toMatchObject({
    meshed: true,
    mtls: 'strict',
    services: [`${namespace}/web`],
    addresses: ['10.244.9.9'],
    zone: 'z1',
  });

  await api.patch(`${namespaced}/pods/web-1/status`, 'application/merge-patch+json', {
    status: { phase: 'Succeeded' },
  });
  await until(store, mesh => !mesh.workloads.has(`${namespace}/web-1`));
  await api.delete(`${namespaced}/pods/web-1?gracePeriodSeconds=0`);
  await api.delete(`${namespaced}/services/web`);
  await until(store, mesh => !mesh.services.has(`${namespace}/web`));
});

onCluster('CRDs that come later are picked up, and those that go take their objects along', async context => {
  // Deleting a CRD deletes everybody's objects: only one that was made here may go.
  const installed = await api.get(`${crds}/trafficsplits.split.smi-spec.io`).then(
    () => true,
    () => false,
  );
  context.skip(installed, 'the cluster has the CRD of TrafficSplit; this test needs to make it');
  await api.create(`${namespaced}/services`, service('split'));
  const store = begin({ absentMs: 100 });
  await until(store, mesh => mesh.services.has(`${namespace}/split`));
  const splits = `/apis/split.smi-spec.io/v1alpha2/namespaces/${namespace}/trafficsplits`;
  const split = {
    apiVersion: 'split.smi-spec.io/v1alpha2',
    kind: 'TrafficSplit',
    metadata: { name: 't' },
    spec: { service: 'split', backends: [{ service: 'split', weight: 1 }] },
  };
  await define(definition('split.smi-spec.io', 'v1alpha2', 'trafficsplits', 'TrafficSplit'), splits, split);
  await until(store, mesh => mesh.routes.has(`TrafficSplit/${namespace}/t:80`));
  await api.delete(`${crds}/trafficsplits.split.smi-spec.io`);
  await until(store, mesh => !mesh.routes.has(`TrafficSplit/${namespace}/t:80`));
});

onCluster('of two replicas, whenever they began, each reads what the other has read', async () => {
  await api.create(`${namespaced}/services`, service('gone-early'));
  const early = beginBoth();
  await until(early.store, mesh => mesh.services.has(`${namespace}/gone-early`));
  await api.delete(`${namespaced}/services/gone-early`);
  await until(early.store, mesh => !mesh.services.has(`${namespace}/gone-early`));
  // Its lists are of a later version than any event that the other has seen.
  await api.create(`${namespaced}/configmaps`, { metadata: { name: 'later' } });
  const late = beginBoth();
  await until(late.store, () => true);
  await expect.poll(() => early.source.hasRead(late.source.changes()), { timeout: 10_000 }).toBe(true);
  await expect.poll(() => late.source.hasRead(early.source.changes()), { timeout: 10_000 }).toBe(true);
  const { metadata } = await api.create<{ metadata: { resourceVersion: string } }>(
    `${namespaced}/services`,
    service('read-by-both'),
  );
  const change = { Service: metadata.resourceVersion };
  for (const { source } of [early, late])
    await expect.poll(() => source.hasRead(change), { timeout: 10_000 }).toBe(true);
  expect(early.source.hasRead({ Service: `${metadata.resourceVersion}0` })).toBe(false);
});

onCluster('of ConfigMaps those alone are read that policies refer to', async context => {
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/backendtlspolicies`;
  const known = await api.get(path).then(
    () => true,
    () => false,
  );
  context.skip(!known, 'the cluster has no CRD of BackendTLSPolicy');
  const { pem } = createServerAuthority();
  await api.create(`${namespaced}/services`, service('tls'));
  for (const [name, data] of [
    ['authority', { 'ca.crt': pem }],
    ['other', { 'ca.crt': pem }],
  ] as const)
    await api.create(`${namespaced}/configmaps`, { metadata: { name }, data });
  const refs = (...names: string[]) => ({
    caCertificateRefs: names.map(name => ({ group: '', kind: 'ConfigMap', name })),
  });
  const policy = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'BackendTLSPolicy',
    metadata: { name: 'p' },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: 'tls' }],
      validation: { hostname: 'tls.test', ...refs('authority') },
    },
  };
  await api.create(path, policy);
  const asked = new Set<string>();
  let forbidden = true;
  const ask = (url: string): void => {
    if (!url.includes('/configmaps?')) return;
    asked.add(`${url.split('?')[0]} ${new URLSearchParams(url.split('?')[1]).get('fieldSelector')}`);
    if (forbidden) throw new ApiError('GET', url, 403, 'not yours');
  };
  const { store, source } = beginBoth({
    api: {
      async get<T>(url: string, signal?: AbortSignal) {
        ask(url);
        return api.get<T>(url, signal);
      },
      watch(url, signal) {
        ask(url);
        return api.watch(url, signal);
      },
    },
  });
  const policyIn = (mesh: Mesh) => mesh.policies.get(`BackendTLSPolicy/${namespace}/p`);
  // The mesh does not wait for what may never come.
  const refused = await until(store, mesh => policyIn(mesh) !== undefined);
  expect(policyIn(refused)?.targets[0]?.message).toContain('403 not yours');
  forbidden = false;
  const accepted = (mesh: Mesh) => policyIn(mesh)?.targets[0]?.reason === 'Accepted';
  await until(store, accepted);
  const selected = (name: string) => `${namespaced}/configmaps metadata.name=${name}`;
  expect([...asked].filter(url => url.includes(namespace))).toEqual([selected('authority')]);
  expect(Object.keys(source.changes())).toContain(`ConfigMap/${namespace}/authority`);

  // Never is a policy in force before what it refers to is known.
  const without: unknown[] = [];
  store.subscribe(mesh => {
    if (!accepted(mesh)) without.push(policyIn(mesh));
  });
  await api.patch(`${path}/p`, 'application/merge-patch+json', {
    spec: { ...policy.spec, validation: { hostname: 'other.test', ...refs('other') } },
  });
  const authorities = (mesh: Mesh) => {
    const tls = mesh.services.get(`${namespace}/tls`)?.ports[0].backendTls;
    return tls?.kind === 'verified' ? `${tls.hostname} ${tls.authorities}` : '';
  };
  await until(store, mesh => authorities(mesh) === `other.test ${pem}`);
  expect(without).toEqual([]);
  expect(Object.keys(source.changes())).not.toContain(`ConfigMap/${namespace}/authority`);
  const more = createServerAuthority().pem;
  await api.patch(`${namespaced}/configmaps/other`, 'application/merge-patch+json', {
    data: { 'ca.crt': `${pem}${more}` },
  });
  await until(store, mesh => authorities(mesh) === `other.test ${pem}${more}`);
  await api.delete(`${path}/p`);
  await until(store, mesh => mesh.services.get(`${namespace}/tls`)?.ports[0].backendTls === null);
  expect(Object.keys(source.changes()).filter(kind => kind.startsWith(`ConfigMap/${namespace}/`))).toEqual(
    [],
  );
});

/** Follows a collection. */
function follow(
  path: string,
  through: Pick<ApiClient, 'get' | 'watch'>,
  silenceMs = 180_000,
): { seen: string[]; lists: () => number } {
  const seen: string[] = [];
  let lists = 0;
  const reflector = new Reflector({
    api: through,
    path: () => Promise.resolve(path),
    key: object => (object as { metadata: { name: string } }).metadata.name,
    onObject: object => seen.push((object as { metadata: { name: string } }).metadata.name),
    onDelete: key => seen.push(`-${key}`),
    onSynced: () => lists++,
    backoff: new Backoff(20, 100),
    random: Math.random,
    clock: systemClock,
    log,
    silenceMs,
  });
  const running = reflector.run();
  closers.push(() => {
    reflector.stop();
    return running;
  });
  return { seen, lists: () => lists };
}

onCluster('a version that the server has forgotten leads to a new list', async () => {
  const group = `${namespace}.example.com`;
  const path = `/apis/${group}/v1/namespaces/${namespace}/things`;
  const thing = (name: string) => ({ apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name } });
  await define(definition(group, 'v1', 'things', 'Thing'), path, thing('a'));
  let first = true;
  const { seen, lists } = follow(path, {
    async get<T>(url: string, signal?: AbortSignal) {
      const list = await api.get<{ metadata: { resourceVersion: string } }>(url, signal);
      // Older than the collection: the API server answers 200, and an event ERROR with code 410.
      if (first) list.metadata.resourceVersion = '1';
      first = false;
      return list as T;
    },
    watch: (url, signal) => api.watch(url, signal),
  });
  await expect.poll(lists, { timeout: 10_000 }).toBe(2);
  await api.create(path, thing('b'));
  await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['a', 'a', 'b']);
  expect(lists()).toBe(2);
});

/** Between us and the API server: passes bytes, until it is told to hold them or to cut. */
async function gate(
  target: URL,
): Promise<{ port: number; hold: () => void; cut: () => void; server: Server }> {
  const sockets = new Set<Socket>();
  let held = new Set<Socket>();
  const server = createServer(client => {
    const upstream = dial(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(from);
      from.on('data', chunk => {
        if (!held.has(from)) to.write(chunk);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    server,
    hold: () => {
      held = new Set(sockets);
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

onCluster('connections that are cut or fall silent are replaced, and nothing is missed', async () => {
  const credentials = await findCredentials(process.env);
  const { port, hold, cut } = await gate(new URL(credentials.server));
  const through = new ApiClient({ ...credentials, server: `https://127.0.0.1:${port}` });
  closers.push(() => through.close());
  const { seen, lists } = follow(`${namespaced}/configmaps`, through, 1500);
  await expect.poll(lists, { timeout: 10_000 }).toBe(1);

  cut();
  await api.create(`${namespaced}/configmaps`, { metadata: { name: 'while-cut' } });
  await expect.poll(() => seen, { timeout: 10_000 }).toContain('while-cut');

  hold();
  await api.create(`${namespaced}/configmaps`, { metadata: { name: 'while-silent' } });
  await expect.poll(() => seen, { timeout: 10_000 }).toContain('while-silent');
  expect(lists()).toBe(1);
});

onCluster('the roots are kept in the namespaces of the mesh, and put right', async () => {
  // Not from the cluster's own namespaces: another control plane may be at work there.
  const store = new RecordStore({
    trustDomain: 'td',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    clock: systemClock,
    log,
  });
  const path = `${namespaced}/configmaps/tulle-trust-bundle`;
  const held = (): Promise<string> =>
    api.get<{ data: Record<string, string> }>(path).then(({ data }) => data['ca.crt']);
  const backoff = new Backoff(20, 100);
  const publisher = new TrustBundlePublisher('roots 1', {
    api,
    store,
    backoff,
    clock: systemClock,
    log,
    recheckMs: 200,
  });
  closers.push(() => publisher.stop());

  const plain = { mtls: '', opaquePorts: null, inject: false } as const;
  store.put('Namespace', namespace, plain, [], '');
  store.put('Namespace', 'tulle-does-not-exist', { ...plain, inject: true }, [], '');
  await expect(held()).rejects.toThrow('404');
  store.put('Namespace', namespace, { ...plain, inject: true }, [], '');
  expect(await vi.waitFor(held)).toBe('roots 1');
  publisher.setBundle('roots 2');
  await expect.poll(held).toBe('roots 2');
  await api.patch(path, 'application/merge-patch+json', { data: { 'ca.crt': 'somebody else' } });
  await expect.poll(held).toBe('roots 2');
  await api.delete(path);
  await expect.poll(() => held().catch(() => ''), { timeout: 5000 }).toBe('roots 2');
});
