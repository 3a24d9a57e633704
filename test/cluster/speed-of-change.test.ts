/**
 * From `kubectl apply` of a weight to the new split in force in every sidecar. When it is in force says the log of each
 * sidecar; and each pod asks all the time, so that a sidecar whose word does not hold is found. The short form asserts that
 * all come to the new split; for figures (docs/speed-of-change.md):
 *
 *     TULLE_SPEED_PODS=50 TULLE_SPEED_CHANGES=40 npx vitest run --config test/cluster/vitest.config.ts \
 *       test/cluster/speed-of-change.test.ts
 */
import { loadavg } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { annotations } from '../../api/annotations.ts';
import { controlPlaneName, sidecarContainer, systemNamespace } from '../../api/installation.ts';
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
/** Between two requests of a pod; its answers tell of a change so much later at most. */
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
  /** Of each pod its first answer by the new version. */
  readonly turns: ReadonlyMap<string, Turn>;
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
        annotations: { [annotations.logLevel.name]: 'debug' },
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

interface LogLine {
  readonly pod: string;
  /** ms since 1970. */
  readonly at: number;
  readonly [field: string]: unknown;
}

/** What containers have logged with this message. */
async function logged(message: string, since: number, ...of: readonly string[]): Promise<LogLine[]> {
  const from = `--since-time=${new Date(since).toISOString()}`;
  const logs = await kubectl('logs', ...of, '--prefix', '--tail=-1', from, `--max-log-requests=${PODS}`);
  return logs.split('\n').flatMap(line => {
    const [, pod, text] = /^\[pod\/([^/]+)\/[^\]]+\] (\{.*\})$/.exec(line) ?? [];
    if (pod === undefined || !text.includes(`"msg":"${message}"`)) return [];
    const fields = JSON.parse(text) as { time: string };
    return [{ ...fields, pod, at: Date.parse(fields.time) }];
  });
}

/** When the control plane's replicas wrote the pushes of routes, ms since 1970. */
async function pushTimes(since: number): Promise<number[]> {
  const selector = ['-n', systemNamespace, '-l', `app.kubernetes.io/name=${controlPlaneName}`];
  const lines = await logged('pushed', since, ...selector);
  return lines.filter(({ type }) => type === 'routes').map(({ at }) => at);
}

/**
 * When each change was in force in each sidecar, ms since 1970: with a new route come clusters and endpoints that nothing
 * named before, so it is the last thing that the sidecar took over before it answered so first.
 */
async function inForce(changes: readonly Change[]): Promise<ReadonlyMap<string, number>[]> {
  const selector = ['-n', NS, '-l', 'app=follower', '-c', sidecarContainer];
  const lines = await logged('configuration taken over', changes[0].begunAt, ...selector);
  return changes.map(({ begunAt, turns }) => {
    const times = new Map<string, number>();
    for (const { pod, at } of lines) {
      const turn = turns.get(pod);
      if (turn !== undefined && at >= begunAt && at <= turn.at)
        times.set(pod, Math.max(at, times.get(pod) ?? 0));
    }
    return times;
  });
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
    const times = await inForce(changes);
    for (const [i, { turns }] of changes.entries())
      for (const [pod, turn] of turns) {
        // It said so, and no request that began afterwards had an answer by the weights before.
        expect(times[i].get(pod), `change ${i} in ${pod}`).toBeGreaterThanOrEqual(turn.notBefore);
      }
    await report(changes, times);
  },
  60_000 + CHANGES * CONVERGE_SECONDS * 1000,
);

async function report(
  changes: readonly Change[],
  times: readonly ReadonlyMap<string, number>[],
): Promise<void> {
  const pushes = await pushTimes(changes[0].begunAt);
  const rows = changes.map(({ begunAt, writtenAt, turns }, i) => {
    const forced = [...times[i].values()];
    const answered = [...turns.values()].map(({ at }) => at);
    const pushed = pushes.filter(time => time >= writtenAt - 50 && time <= Math.max(...forced));
    return { begunAt, writtenAt, forced, answered, pushed };
  });
  const of = (samples: (row: (typeof rows)[number]) => readonly number[]): string =>
    figures(rows.flatMap(samples));
  const lines = [
    `${changes.length} changes, ${PODS} pods, a request every ${EVERY_MS} ms each, load ${loadavg()[0].toFixed(1)}`,
    `from kubectl apply until in force, each sidecar: ${of(({ forced, begunAt }) => forced.map(at => at - begunAt))}`,
    `  of that: kubectl and API server, until a watch tells: ${of(row => [row.writtenAt - row.begunAt])}`,
    `  control plane, until the first push: ${of(({ pushed, writtenAt }) => pushed.slice(0, 1).map(() => Math.min(...pushed) - writtenAt))}`,
    `  from the first to the last push: ${of(({ pushed }) => pushed.slice(0, 1).map(() => Math.max(...pushed) - Math.min(...pushed)))}`,
    `from kubectl apply until in force in all: ${of(({ forced, begunAt }) => [Math.max(...forced) - begunAt])}`,
    `from kubectl apply to the first answer, each pod: ${of(({ answered, begunAt }) => answered.map(at => at - begunAt))}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
