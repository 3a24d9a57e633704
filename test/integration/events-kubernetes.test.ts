/** What is said in Events, against the API server that KUBECONFIG names. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { resourceTypes } from '../../api/xds/any.ts';
import { RecordStore } from '../../control-plane/model/store.ts';
import { KubernetesSource } from '../../control-plane/sources/kubernetes/kubernetes-source.ts';
import { EventWriter } from '../../control-plane/status/event-writer.ts';
import { RawClient } from '../../control-plane/xds/raw-client.fixture.ts';
import { startServer } from '../../control-plane/xds/server.fixture.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { createLogger } from '../../runtime/log.ts';

const { KUBECONFIG = '' } = process.env;
if (KUBECONFIG === '') console.log('skipped: events-kubernetes needs a cluster; set KUBECONFIG');
const onCluster = test.skipIf(KUBECONFIG === '');

interface Event {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly reportingComponent: string;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}

const log = createLogger('test', process.env.TULLE_TEST_LOG ?? 'silent');
const namespace = `tulle-events-${randomBytes(3).toString('hex')}`;
const controllerName = `tulle.dev/${namespace}`;
const splits = `/apis/split.smi-spec.io/v1alpha4/namespaces/${namespace}/trafficsplits`;
const groups = `/apis/specs.smi-spec.io/v1alpha4/namespaces/${namespace}/httproutegroups`;
const httpRoutes = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`;
const services = `/api/v1/namespaces/${namespace}/services`;
const events = `/api/v1/namespaces/${namespace}/events`;
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const wait = { timeout: 20_000 };
const closers: (() => Promise<unknown>)[] = [];
let api: ApiClient;

beforeAll(async () => {
  if (KUBECONFIG === '') return;
  api = new ApiClient(await findCredentials(process.env));
  closers.push(() => api.close());
  await api.create('/api/v1/namespaces', { metadata: { name: namespace } });
  closers.push(() => api.delete(`/api/v1/namespaces/${namespace}`));
  const manifest = join(import.meta.dirname, '../cluster/manifests/traffic-split-crd.yaml');
  for (const document of parseAllDocuments(readFileSync(manifest, 'utf8'))) {
    const definition = document.toJS() as { metadata: { name: string } };
    try {
      await api.create(definitions, definition);
      closers.push(() => api.delete(`${definitions}/${definition.metadata.name}`));
    } catch (error) {
      // The cluster's own stay.
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
    }
  }
  for (const path of [splits, groups]) await vi.waitFor(() => api.get(path), wait);
  for (const name of ['web', 'v2'])
    await api.create(services, {
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ port: 80 }] },
    });
}, 60_000);

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Replica {
  /** Of its xDS server. */
  readonly port: number;
  /** Reasons of the Events that reached the API server, and `again` for each that was moved in time. */
  readonly writes: readonly string[];
  stop(): Promise<void>;
}

/** What of a control plane says something in Events. */
async function startReplica(isLeader: boolean): Promise<Replica> {
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
    absentMs: 100,
  });
  source.start();
  await vi.waitFor(() => expect(store.current).not.toBeNull(), wait);
  const writes: string[] = [];
  const writer = new EventWriter({
    api: {
      get: (path, signal) => api.get(path, signal),
      async create<T>(path: string, object: object): Promise<T> {
        const created = await api.create<T>(path, object);
        writes.push((object as Event).reason);
        return created;
      },
      async patch<T>(...patch: Parameters<ApiClient['patch']>): Promise<T> {
        writes.push('again');
        return await api.patch<T>(...patch);
      },
    },
    store,
    controllerName,
    whenInForce: () => Promise.resolve(),
    isLeader: () => isLeader,
    clock: systemClock,
    random: Math.random,
    log,
    paceMs: 1,
    repeatMs: 200,
  });
  writer.leadershipChanged();
  const server = await startServer(store, undefined, log, (subject, sentences) =>
    store.setOmitted(subject, sentences),
  );
  return {
    port: server.port,
    writes,
    async stop() {
      await server.close();
      await writer.stop();
      await source.stop();
    },
  };
}

async function said(): Promise<string[]> {
  const { items } = await api.get<{ items: Event[] }>(events);
  return items
    .filter(event => event.reportingComponent === controllerName)
    .map(
      ({ type, reason, message, involvedObject: { kind, name } }) =>
        `${kind}/${name} ${type} ${reason}: ${message}`,
    )
    .sort();
}

onCluster(
  'what becomes of a split is said in events, once, and again by nobody',
  async () => {
    const first = await startReplica(true);
    const split = {
      apiVersion: 'split.smi-spec.io/v1alpha4',
      kind: 'TrafficSplit',
      metadata: { name: 'canary' },
      spec: {
        service: 'web',
        matches: [{ kind: 'HTTPRouteGroup', name: 'beta' }],
        backends: [{ service: 'v2', weight: 1 }],
      },
    };
    await api.create(splits, split);
    const missing = `TrafficSplit/canary Warning Invalid: spec.matches[0] refers to HTTPRouteGroup ${namespace}/beta, which does not exist; create it or correct the name`;
    await vi.waitFor(async () => expect(await said()).toEqual([missing]), wait);

    const group = (method: string) => ({
      apiVersion: 'specs.smi-spec.io/v1alpha4',
      kind: 'HTTPRouteGroup',
      metadata: { name: 'beta' },
      spec: { matches: [{ name: 'any', methods: [method] }] },
    });
    await api.create(groups, group('GET'));
    const inForce = 'TrafficSplit/canary Normal Accepted: in force';
    await vi.waitFor(async () => expect(await said()).toEqual([inForce, missing]), wait);

    await api.delete(`${groups}/beta`);
    await api.create(groups, group('FETCH'));
    const wrong =
      'HTTPRouteGroup/beta Warning Invalid: spec.matches[0].methods[0] is "FETCH"; use one of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH, *';
    await vi.waitFor(async () => expect(await said()).toEqual([wrong, inForce, missing]), wait);
    await first.stop();

    const second = await startReplica(true);
    // Long enough that it has repeated the problem; its store learns of a Service made afterwards.
    await api.create(services, { metadata: { name: 'late' }, spec: { ports: [{ port: 80 }] } });
    await api.create(splits, {
      ...split,
      metadata: { name: 'late' },
      spec: { service: 'late', backends: [{ service: 'late', weight: 1 }] },
    });
    const late = 'TrafficSplit/late Normal Accepted: in force';
    await vi.waitFor(async () => expect(await said()).toEqual([wrong, inForce, missing, late]), wait);
    expect(second.writes).toEqual(['Accepted']);
    await second.stop();
  },
  90_000,
);

/** Subscribes to the routes of Service `web` as a client of this user agent. */
async function subscribe(port: number, userAgentName: string): Promise<RawClient> {
  const client = new RawClient(port);
  const stream = client.sotw();
  const name = userAgentName === 'envoy' ? 'outbound' : `route/${namespace}/web:80`;
  stream.send({
    node: { id: `${namespace}/client`, userAgentName },
    typeUrl: resourceTypes.routes,
    resourceNames: [name],
  });
  await stream.next();
  return client;
}

onCluster(
  'what a client cannot be told is said of the route, once by all replicas, and only while there is such a client',
  async context => {
    const isServed = await api.get(httpRoutes).then(
      () => true,
      () => false,
    );
    if (!isServed) {
      console.log('skipped: the cluster has no HTTPRoute');
      context.skip();
    }
    const ofRoute = async () => (await said()).filter(sentence => sentence.startsWith('HTTPRoute/'));
    // The splits of other tests are told of too.
    const ofClients = ({ writes }: Replica) => writes.filter(reason => reason === 'NotExpressible').length;
    const [leader, follower] = [await startReplica(true), await startReplica(false)];
    await api.create(httpRoutes, {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'rewriting' },
      spec: {
        parentRefs: [{ group: '', kind: 'Service', name: 'web' }],
        rules: [
          {
            name: 'slow',
            filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'other.example' } }],
            timeouts: { backendRequest: '1s' },
            backendRefs: [{ name: 'v2', port: 80 }],
          },
        ],
      },
    });
    const sidecar = await subscribe(leader.port, 'tulle');
    const grpc = await subscribe(follower.port, 'gRPC Go');
    const toGrpc =
      'HTTPRoute/rewriting Warning NotExpressible: gRPC clients cannot be told filters.urlRewrite of rule slow: path and host stay as they are. gRPC clients cannot be told timeouts.backendRequest of rule slow: attempts have no limit of their own';
    await vi.waitFor(async () => expect(await ofRoute()).toEqual([toGrpc]), wait);
    expect([ofClients(leader), ofClients(follower)]).toEqual([0, 1]);

    // The same from the other replica, and again after a while, are no writes; a new dialect is one.
    const again = await subscribe(leader.port, 'gRPC Go');
    const envoy = await subscribe(leader.port, 'envoy');
    const toEnvoy = /Envoy cannot be told timeouts.backendRequest of rule slow: .* gRPC clients cannot/;
    await vi.waitFor(
      async () => expect(await ofRoute()).toEqual([expect.stringMatching(toEnvoy), toGrpc]),
      wait,
    );
    for (const client of [sidecar, grpc, again, envoy]) client.close();
    await subscribe(follower.port, 'gRPC Go').then(client => client.close());
    await api.delete(`${httpRoutes}/rewriting`);
    await Promise.all([leader.stop(), follower.stop()]);
    expect([ofClients(leader), ofClients(follower)]).toEqual([1, 1]);
  },
  90_000,
);
