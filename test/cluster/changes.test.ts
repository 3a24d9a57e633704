/**
 * Rules and Services change at random on a cluster, and pods go and come, under 500 requests/s from pods; each answer is
 * judged by the rules in force. Times are compared, so that clients and test need the same clock: on the kit's cluster only.
 * The same in a folder: test/changes/directory.test.ts.
 *
 *     TULLE_CHANGE_SECONDS=120 npx vitest run --config test/cluster/vitest.config.ts test/cluster/changes.test.ts
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { controllerName, type ParentStatus } from '../../control-plane/status/route-status.ts';
import { ApiClient, ApiError } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import type { Called } from '../apps/load.ts';
import { History } from '../changes/history.ts';
import { Judge } from '../changes/judge.ts';
import { FRONTS, LASTING, RandomChange } from '../changes/random-change.ts';
import {
  type Back,
  backObject,
  frontObject,
  NS,
  type PodPlace,
  type Rule,
  routeObject,
  type Shop,
  type Version,
} from '../changes/shop.ts';
import { Random } from '../fuzz/http1/random.ts';
import { apply, type KubernetesObject, kubectl, rolledOut } from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { ensure, gatewayApi } from './mesh/custom-resources.ts';
import { isKitCluster } from './mesh/kit-cluster.ts';
import { forwardTo } from './mesh/relay.ts';
import { deployment } from './mesh/workloads.ts';

const SECONDS = Number(process.env['TULLE_CHANGE_SECONDS'] ?? 10);
const SEED = Number(process.env['TULLE_CHANGE_SEED'] ?? Date.now() % 1_000_000);
const RATE = 500;
const LOADS = 2;
/** Longest pause between two changes. */
const MAX_PAUSE_MS = 200;
/** Pods of each version; one at a time is deleted, and one at least is an endpoint. */
const REPLICAS = 2;
/** One change in so many is the end of a pod. */
const POD_EVERY = 12;
/** What was read so long before a rule that is in force is in force as well: kinds are watched apart. */
const LAG_MS = 2000;

const routes = `/apis/gateway.networking.k8s.io/v1/namespaces/${NS}/httproutes`;
const services = `/api/v1/namespaces/${NS}/services`;
const slices = `/apis/discovery.k8s.io/v1/namespaces/${NS}/endpointslices`;
const pods = `/api/v1/namespaces/${NS}/pods`;

interface RouteObject extends KubernetesObject {
  spec: { rules: { filters: { responseHeaderModifier: { set: { value: string }[] } }[] }[] };
  status?: { parents?: ParentStatus[] };
}

interface PodObject {
  metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string };
  status: { podIP?: string; conditions?: { type: string; status: string }[] };
}

const skipped = (await isKitCluster())
  ? await ensure(gatewayApi)
  : "clients and test have the same clock only on the kit's cluster";
if (skipped !== null) process.stderr.write(`changes.test.ts is skipped: ${skipped}\n`);

const now = (): number => performance.timeOrigin + performance.now();
const random = new Random(SEED);
const history = new History();
/** When status said of a rule that it is in force. */
const accepted: { readonly rule: number; readonly at: number }[] = [];
const running: PodPlace[] = [];
const loads: { readonly name: string; readonly url: string; close(): void }[] = [];
const ending = new AbortController();
let api: ApiClient;

async function readPods(): Promise<void> {
  const list = await api.get<{ items: PodObject[] }>(`${pods}?labelSelector=part%3Danswering`);
  const ready = list.items.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true,
  );
  const places = ready.map(({ metadata: { name, labels }, status }) => ({
    name,
    address: status.podIP ?? '',
    version: labels.version as Version,
  }));
  running.splice(0, running.length, ...places);
}

beforeAll(async () => {
  if (skipped !== null) return;
  process.stdout.write(`TULLE_CHANGE_SEED=${SEED}\n`);
  api = new ApiClient(await findCredentials(process.env));
  await freshNamespaces(namespace(NS, enabled));
  const answering = (version: Version): KubernetesObject[] =>
    deployment(NS, `answering-${version}`, REPLICAS, {
      env: { VERSION: version },
      labels: { part: 'answering', tier: 'answering', version },
    });
  await apply(
    ...answering('v1'),
    ...answering('v2'),
    ...deployment(NS, 'load', LOADS, { args: ['load', String(RATE / LOADS)] }),
  );
  for (const name of ['answering-v1', 'answering-v2', 'load']) await rolledOut(name, NS, 120);
  await readPods();
  const names = await kubectl(
    'get',
    'pod',
    '-n',
    NS,
    '-l',
    'app=load',
    '-o',
    'jsonpath={.items[*].metadata.name}',
  );
  for (const name of names.split(' ')) loads.push({ name, ...(await forwardTo(NS, name)) });
}, 300_000);

afterAll(async () => {
  ending.abort();
  for (const load of loads) load.close();
  await api?.close();
  if (skipped === null) await deleteNamespaces(NS);
});

/** Addresses of the range for those who choose them (Service ClusterIP allocation, the static band). */
async function addresses(): Promise<() => string> {
  const { spec } = await api.get<{ spec: { clusterIP: string } }>(
    '/api/v1/namespaces/default/services/kubernetes',
  );
  const [a, b, c] = spec.clusterIP.split('.');
  let last = 20;
  return () => `${a}.${b}.${c}.${++last}`;
}

// ---- Writing

const stored = ({
  metadata: { uid: _uid, generation: _generation, ...metadata },
  ...rest
}: KubernetesObject): object => ({
  ...rest,
  metadata,
});

function begin(shop: Shop, what: string): void {
  history.begin(shop, what, now());
}

/** Makes the cluster what `next` says, one object after the other, each a state of its own. */
async function write(next: Shop, what: string): Promise<void> {
  const shop = history.newest;
  for (const [name, front] of Object.entries(next.fronts)) {
    if (shop.fronts[name] !== undefined) continue;
    begin({ ...history.newest, fronts: { ...history.newest.fronts, [name]: front } }, what);
    await api.create(services, stored(frontObject(name, front)));
  }
  for (const name of Object.keys(shop.fronts).filter(held => next.fronts[held] === undefined)) {
    begin({ ...history.newest, fronts: next.fronts }, what);
    await api.delete(`${services}/${name}`);
  }
  await writeBacks(next, what);
  await writeRules(next, what);
  await writeEndpoints(next, what);
}

async function writeBacks(next: Shop, what: string): Promise<void> {
  const held = history.newest.backs;
  if (Object.keys(held).length === Object.keys(next.backs).length) return;
  begin({ ...history.newest, backs: next.backs }, what);
  for (const [name, uid] of Object.entries(next.backs))
    if (held[name as Back] === undefined) await api.create(services, stored(backObject(name as Back, uid)));
  for (const name of Object.keys(held))
    if (next.backs[name as Back] === undefined) await api.delete(`${services}/${name}`);
}

async function writeRules(next: Shop, what: string): Promise<void> {
  const byRoute = (shop: Shop): Map<string, { front: string; rule: Rule }> =>
    new Map(Object.entries(shop.rules).map(([front, rule]) => [rule.route, { front, rule }]));
  const before = byRoute(history.newest);
  const after = byRoute(next);
  for (const [route, { front, rule }] of before) {
    if (after.get(route)?.rule.uid === rule.uid) continue;
    const { [front]: _gone, ...rules } = history.newest.rules;
    begin({ ...history.newest, rules }, `${what}: deleted`);
    await api.delete(`${routes}/${route}`);
  }
  for (const [route, { front, rule }] of after) {
    const held = before.get(route);
    if (held?.rule.id === rule.id) continue;
    const object = routeObject(front, rule);
    const { rules } = history.newest;
    const others = Object.entries(rules).filter(([, other]) => other.route !== route);
    begin({ ...history.newest, rules: { ...Object.fromEntries(others), [front]: rule } }, what);
    if (held?.rule.uid !== rule.uid) await api.create(routes, stored(object));
    else
      await api.patch(`${routes}/${route}`, 'application/merge-patch+json', { spec: object.spec as object });
  }
}

/** A pod without the label is in no endpoints. First those that come, then those that go. */
async function writeEndpoints(next: Shop, what: string): Promise<void> {
  if (next.pods === history.newest.pods) return;
  begin({ ...history.newest, pods: next.pods }, what);
  const isMember = ({ name }: PodPlace): boolean => next.pods.some(pod => pod.name === name);
  for (const pod of running.filter(isMember)) await label(pod, 'answering');
  for (const pod of running.filter(pod => !isMember(pod))) await label(pod, 'resting');
}

async function label({ name }: PodPlace, tier: string): Promise<void> {
  await api
    .patch(`${pods}/${name}`, 'application/merge-patch+json', { metadata: { labels: { tier } } })
    .catch(orGone);
}

function orGone(error: unknown): void {
  if (!(error instanceof ApiError && error.status === 404)) throw error;
}

/** Deletes a pod, whose Deployment makes another, when the others of its version are known to every sidecar. */
async function deletePod(change: RandomChange): Promise<void> {
  await readPods();
  const { rules, fronts } = history.newest;
  const front = Object.keys(rules).find(name => fronts[name] !== undefined);
  if (running.length < 2 * REPLICAS || front === undefined) return;
  await write({ ...history.newest, pods: [...running] }, 'all pods are endpoints');
  await whenInForce(change, front);
  const pod = random.pick(running);
  begin({ ...history.newest, pods: running.filter(other => other !== pod) }, `delete pod ${pod.name}`);
  await api.delete(`${pods}/${pod.name}`);
  await readPods();
}

/** What was written before: the control plane says that a later rule is in force. */
async function whenInForce(change: RandomChange, front: string): Promise<void> {
  const listed = async (): Promise<number> => {
    const list = await api.get<{ items: { endpoints: { conditions: { ready: boolean } }[] | null }[] }>(
      `${slices}?labelSelector=kubernetes.io%2Fservice-name%3Dfront-1`,
    );
    return list.items.flatMap(({ endpoints }) => endpoints ?? []).filter(({ conditions }) => conditions.ready)
      .length;
  };
  await expect.poll(listed, { timeout: 120_000 }).toBeGreaterThanOrEqual(running.length);
  const { shop, what } = change.edit(history.newest, front);
  await write(shop, what);
  await whenAccepted(shop);
}

// ---- Calling

/** Names, and addresses that Services have, and had until a moment ago. */
async function tellHosts(): Promise<number[]> {
  const past = history.moments.slice(-4).flatMap(({ shop }) => Object.values(shop.fronts));
  const hosts = [...FRONTS, ...LASTING, ...new Set(past.map(({ address }) => address))];
  const begun: number[] = [];
  for (const { url } of loads) {
    const answer = await fetch(url, { method: 'PUT', body: JSON.stringify(hosts) });
    begun.push(Number(await answer.text()));
  }
  return begun;
}

/** Notes when status says of each rule that it is accepted. */
async function followStatus(signal: AbortSignal): Promise<void> {
  const known = new Set<number>();
  // The API server may end a watch at any time; what is there already comes first in the next.
  while (!signal.aborted)
    for await (const { object } of api.watch(`${routes}?watch=1`, signal)) {
      const { metadata, spec, status } = object as RouteObject;
      const rule = Number(spec.rules[0].filters[0].responseHeaderModifier.set[0].value);
      const isAccepted = (status?.parents ?? []).some(
        ({ controllerName: of, conditions = [] }) =>
          of === controllerName &&
          conditions.some(
            ({ type, status: is, observedGeneration }) =>
              type === 'Accepted' && is === 'True' && observedGeneration === metadata.generation,
          ),
      );
      if (!isAccepted || known.has(rule)) continue;
      known.add(rule);
      accepted.push({ rule, at: now() });
    }
}

async function whenAccepted(shop: Shop): Promise<void> {
  const ids = Object.entries(shop.rules).flatMap(([front, { id }]) =>
    shop.fronts[front] === undefined ? [] : [id],
  );
  const missing = (): number[] => ids.filter(id => !accepted.some(({ rule }) => rule === id));
  await expect.poll(missing, { timeout: 120_000 }).toEqual([]);
}

// ---- Judging

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** Begins and ends of all calls and what status said, in the order of time. */
function judgeAll(calls: ReadonlyMap<string, readonly Called[]>): Judge {
  const judge = new Judge(history, false);
  const events: Event[] = accepted.map(({ rule, at }) => ({
    at,
    run: () => noteInForce(judge, rule, at, [...calls.keys()]),
  }));
  for (const [client, made] of calls)
    for (const called of made) {
      // The cluster's DNS may know a Service sooner or later than the mesh.
      if (called.address === '' && /ENOTFOUND|EAI_AGAIN/.test(called.error)) continue;
      const call = { client, host: called.address || called.host, beganAt: called.beganAt };
      let shown = 0;
      events.push(
        { at: called.beganAt, run: () => void (shown = judge.begin(call)) },
        { at: called.endedAt, run: () => judge.end(call, shown, called) },
      );
    }
  for (const { run } of events.sort((a, b) => a.at - b.at)) run();
  return judge;
}

/** Of the rule itself, in every sidecar; and of everything that was there well before. */
function noteInForce(judge: Judge, rule: number, at: number, clients: readonly string[]): void {
  const number = history.moments.findIndex(({ shop }) =>
    Object.values(shop.rules).some(({ id }) => id === rule),
  );
  const { shop, begunAt } = history.moments[number];
  const [front] = Object.entries(shop.rules).find(([, { id }]) => id === rule) ?? [];
  if (front === undefined || shop.fronts[front] === undefined) return;
  for (const client of clients) judge.inForce(client, shop.fronts[front].address, number);
  history.inForce(history.newestAt(begunAt - LAG_MS), at);
}

test.skipIf(skipped !== null)(
  `rules change for ${SECONDS} s under ${RATE} requests/s, and no answer is lost or made by the wrong one`,
  async () => {
    const change = new RandomChange(random, await addresses(), () => [...running]);
    const following = followStatus(ending.signal).catch((error: unknown) => {
      if (!ending.signal.aborted) throw error;
    });
    history.begin({ fronts: {}, rules: {}, backs: {}, pods: [...running] }, 'nothing', now());
    await write(change.first(), 'first');
    await whenAccepted(history.newest);
    history.inForce(history.moments.length - 1, now());
    await tellHosts();
    const end = now() + SECONDS * 1000;
    while (now() < end) {
      if (random.below(POD_EVERY) === 0) await deletePod(change);
      const { shop, what } = change.next(history.newest);
      await write(shop, what);
      await tellHosts();
      await sleep(random.below(MAX_PAUSE_MS));
    }
    await readPods();
    await write(change.last(history.newest), 'everything is there, by new rules');
    await whenAccepted(history.newest);
    // A second's worth, by which each client shows what it has come to.
    const enough = (await tellHosts()).map(begun => begun + RATE / LOADS);
    const open = async (): Promise<number> =>
      (await tellHosts()).filter((begun, i) => begun < enough[i]).length;
    await expect.poll(open, { timeout: 120_000 }).toBe(0);
    const calls = new Map<string, Called[]>();
    for (const { name, url } of loads) {
      const told = await (await fetch(url)).text();
      calls.set(
        name,
        told.split('\n').map(line => JSON.parse(line) as Called),
      );
    }
    ending.abort();
    await following;
    const judge = judgeAll(calls);
    const { tally, wrong, wrongTally } = judge.verdicts;
    const count = [...calls.values()].reduce((sum, made) => sum + made.length, 0);
    process.stdout.write(
      `${history.moments.length} states, ${accepted.length} accepted, ${count} requests: ${JSON.stringify(tally)}\n`,
    );
    expect({ wrongTally, wrong }).toEqual({ wrongTally: {}, wrong: [] });
    // Each client has come to the last rule of each Service. What comes without a rule may come of an older state as well.
    const { fronts, rules } = history.newest;
    for (const client of calls.keys())
      for (const [name, { id }] of Object.entries(rules)) {
        const { shop } = history.moments[judge.shownTo(client, fronts[name].address)];
        expect(shop.rules[name]?.id).toBe(id);
      }
  },
  SECONDS * 1000 + 400_000,
);
