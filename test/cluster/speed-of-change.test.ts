/**
 * From `kubectl apply` of a weight to the new split in force in every sidecar: each pod asks all the time and notes when
 * the other version answers. The short form asserts that all come to it; for figures (docs/speed-of-change.md):
 *
 *     TULLE_SPEED_PODS=50 TULLE_SPEED_CHANGES=40 npx vitest run --config test/cluster/vitest.config.ts \
 *       test/cluster/speed-of-change.test.ts
 */
import { loadavg } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { controlPlaneName, systemNamespace } from '../../api/installation.ts';
import { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import type { Turn } from '../apps/follow.ts';
import { apply, type KubernetesObject, kubectl, rolledOut } from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { ensure, gatewayApi } from './mesh/custom-resources.ts';
import { Followers } from './mesh/followers.ts';
import { httpRoute } from './mesh/routes.ts';
import { deployment, service, version } from './mesh/workloads.ts';

const NS = 'tulle-test-speed';
const PODS = Number(process.env['TULLE_SPEED_PODS'] ?? 8);
const CHANGES = Number(process.env['TULLE_SPEED_CHANGES'] ?? 3);
/** Between two requests of a pod; a change is seen so much later at most. */
const EVERY_MS = Number(process.env['TULLE_SPEED_EVERY_MS'] ?? 100);
/** Pods that start at the same time: each needs a good second of a core. */
const BATCH = 10;
const CONVERGE_SECONDS = 60;

/** Times of one change, ms since 1970. */
interface Change {
  /** Before kubectl was started. */
  readonly begunAt: number;
  /** When a watch of the API server told of it. */
  readonly writtenAt: number;
  readonly turns: readonly Turn[];
}

const skipped = await ensure(gatewayApi);
if (skipped !== null) process.stderr.write(`speed-of-change.test.ts is skipped: ${skipped}\n`);

const split = (v2: number): KubernetesObject =>
  httpRoute(NS, 'catalog', { 'catalog-v1': 100 - v2, 'catalog-v2': v2 });

let followers: Followers;

beforeAll(
  async () => {
    if (skipped !== null) return;
    await freshNamespaces(namespace(NS, enabled));
    const follow = { url: `http://catalog.${NS}/`, everyMs: EVERY_MS };
    await apply(
      ...version(NS, 'catalog', 'v1'),
      ...version(NS, 'catalog', 'v2'),
      service(NS, 'catalog', { part: 'catalog' }),
      split(0),
    );
    for (const name of ['catalog-v1', 'catalog-v2']) await rolledOut(name, NS, 120);
    await apply(
      ...deployment(NS, 'follower', Math.min(PODS, BATCH), {
        args: ['follow', JSON.stringify(follow)],
        spec: { terminationGracePeriodSeconds: 1 },
      }),
    );
    for (let pods = Math.min(PODS, BATCH); ; pods = Math.min(PODS, pods + BATCH)) {
      await kubectl('scale', '-n', NS, 'deployment/follower', `--replicas=${pods}`);
      await rolledOut('follower', NS, 300);
      if (pods === PODS) break;
    }
    followers = new Followers(NS, 'follower', PODS);
  },
  180_000 + PODS * 10_000,
);

afterAll(async () => {
  followers?.close();
  if (skipped === null) await deleteNamespaces(NS);
});

/** Applies the other weights; resolves when all pods have seen them. */
async function change(api: ApiClient, v2: number): Promise<Change> {
  const ending = new AbortController();
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${NS}/httproutes`;
  const { metadata } = await api.get<KubernetesObject>(`${path}/catalog`);
  const query = `watch=1&resourceVersion=${String(metadata.resourceVersion)}`;
  const written = (async () => {
    for await (const { object } of api.watch(`${path}?${query}`, ending.signal)) {
      const { metadata: told } = object as KubernetesObject;
      if (told.generation !== metadata.generation) return Date.now();
    }
    throw new Error('the watch ended');
  })();
  try {
    const begunAt = Date.now();
    const [writtenAt] = await Promise.all([written, apply(split(v2))]);
    const turns = await followers.allAt(v2 === 100 ? 'v2' : 'v1', PODS, CONVERGE_SECONDS);
    return { begunAt, writtenAt, turns };
  } finally {
    ending.abort();
  }
}

const figures = (samples: readonly number[]): string => {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
};

/** When the control plane's replicas wrote the pushes of routes, ms since 1970. */
async function pushTimes(since: number): Promise<number[]> {
  const from = `--since-time=${new Date(since).toISOString()}`;
  const selector = ['-n', systemNamespace, '-l', `app.kubernetes.io/name=${controlPlaneName}`];
  const logs = await kubectl('logs', ...selector, '--tail=-1', from);
  return logs
    .split('\n')
    .filter(line => line.includes('"msg":"pushed"') && line.includes('"type":"routes"'))
    .map(line => Date.parse((JSON.parse(line) as { time: string }).time));
}

test.skipIf(skipped !== null)(
  `${CHANGES} changes of a weight reach every one of ${PODS} sidecars`,
  async () => {
    const api = new ApiClient(await findCredentials(process.env));
    await followers.allAt('v1', PODS, CONVERGE_SECONDS);
    const changes: Change[] = [];
    try {
      for (let i = 0; i < CHANGES; i++) changes.push(await change(api, i % 2 === 0 ? 100 : 0));
    } finally {
      await api.close();
    }
    // Nothing but the two versions, and each turn once: no failure, and no way back.
    for (const turns of followers.turns.values())
      expect(turns.slice(-CHANGES - 1).map(turn => turn.version)).toEqual(
        Array.from({ length: CHANGES + 1 }, (_, i) => (i % 2 === 0 ? 'v1' : 'v2')),
      );
    await report(changes);
  },
  60_000 + CHANGES * CONVERGE_SECONDS * 1000,
);

async function report(changes: readonly Change[]): Promise<void> {
  const pushes = await pushTimes(changes[0].begunAt);
  const all = changes.flatMap(({ begunAt, turns }) => turns.map(({ at }) => at - begunAt));
  const told = changes.flatMap(({ writtenAt, turns }) => turns.map(({ at }) => at - writtenAt));
  const last = changes.map(({ begunAt, turns }) => Math.max(...turns.map(({ at }) => at)) - begunAt);
  const pushed = changes.flatMap(({ writtenAt, turns }) => {
    const end = Math.max(...turns.map(({ at }) => at));
    const times = pushes.filter(time => time >= writtenAt - 50 && time <= end);
    return times.length === 0
      ? []
      : [{ writtenAt, first: Math.min(...times), last: Math.max(...times), end }];
  });
  const lines = [
    `${changes.length} changes, ${PODS} pods, a request every ${EVERY_MS} ms each, load ${loadavg()[0].toFixed(1)}`,
    `from kubectl apply to the new version's first answer, each pod: ${figures(all)}`,
    `of that, from the API server's event on, each pod: ${figures(told)}`,
    `from kubectl apply until every pod has it: ${figures(last)}`,
    `  of that: kubectl and API server: ${figures(changes.map(({ begunAt, writtenAt }) => writtenAt - begunAt))}`,
    `  control plane, until the first push: ${figures(pushed.map(({ writtenAt, first }) => first - writtenAt))}`,
    `  from the first to the last push: ${figures(pushed.map(({ first, last }) => last - first))}`,
    `  from the last push to the last pod's first answer: ${figures(pushed.map(({ last, end }) => end - last))}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
