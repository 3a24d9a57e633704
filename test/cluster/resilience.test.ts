/** Pods that fail, end, crash and are replaced, while clients call. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sidecarContainer } from '../../api/installation.ts';
import { kit } from './harness/images.ts';
import { apply, eventually, kubectl, rolledOut, tryKubectl, waitFor } from './harness/kubectl.ts';
import { must } from './harness/run.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { get, startCalls } from './mesh/client.ts';
import { ensure, gatewayApi } from './mesh/custom-resources.ts';
import { isKitCluster } from './mesh/kit-cluster.ts';
import { httpRoute } from './mesh/routes.ts';
import { metric } from './mesh/scrape.ts';
import { clientPod, deployment, service } from './mesh/workloads.ts';

const NS = 'tulle-test-resilience';
const RATE = 200;
const GRPC_RATE = 50;
const retry = { retry: { codes: [503], attempts: 2, backoff: '25ms' } };
const clients = ['client', 'client-of-flaky', 'client-of-retried'];

const skipped = (what: string, reason: string | null): boolean => {
  if (reason !== null) process.stderr.write(`resilience.test.ts: ${what} is skipped: ${reason}\n`);
  return reason !== null;
};
const noRoutes = skipped('what needs retries', await ensure(gatewayApi));
const noKit = skipped(
  'killing a sidecar',
  (await isKitCluster()) ? null : 'it needs the node of ../shared/cluster',
);

beforeAll(async () => {
  await freshNamespaces(namespace(NS, enabled));
  await apply(
    ...deployment(NS, 'steady', 3),
    service(NS, 'steady', { app: 'steady' }, [
      [80, 8080],
      [9000, 9000],
    ]),
    service(NS, 'guarded', { app: 'steady' }),
    ...deployment(NS, 'flaky', 3),
    service(NS, 'flaky', { app: 'flaky' }),
    service(NS, 'retried', { app: 'flaky' }),
    ...(noRoutes ? [] : ['guarded', 'retried'].map(name => httpRoute(NS, name, { [name]: 1 }, retry))),
    ...clients.map(name => clientPod(NS, name)),
  );
  for (const name of ['steady', 'flaky']) await rolledOut(name, NS, 120);
  for (const name of clients) await waitFor(`pod/${name}`, 'condition=Ready', NS);
}, 240_000);
afterAll(() => deleteNamespaces(NS));

/** Pods that a Service sends to now; not those that are on their way out. */
async function podsOf(app: string): Promise<string[]> {
  const slices = await kubectl(
    'get',
    'endpointslice',
    '-n',
    NS,
    '-l',
    `kubernetes.io/service-name=${app}`,
    '-o',
    'json',
  );
  const { items } = JSON.parse(slices) as {
    items: { endpoints: { conditions: { ready: boolean }; targetRef: { name: string } }[] }[];
  };
  return items
    .flatMap(({ endpoints }) => endpoints)
    .filter(({ conditions }) => conditions.ready)
    .map(({ targetRef }) => targetRef.name);
}

/** Asks the application of a pod to misbehave. What comes of the request itself does not matter. */
const control = (pod: string, path: string): Promise<unknown> =>
  tryKubectl(
    `exec -n ${NS} ${pod} -c app -- /usr/bin/curl -s -X PUT http://127.0.0.1:8080${path}`.split(' '),
  );

const urlOf = (host: string): string => `http://${host}.${NS}/`;

/** HTTP calls at a constant rate while `during` happens; not one may fail. Returns the pods that answered. */
async function expectNothingLost(seconds: number, during: () => Promise<void>): Promise<string[]> {
  const calls = startCalls(NS, 'client', { kind: 'http', url: urlOf('steady'), rate: RATE, seconds });
  await calls.first;
  await during();
  const { statuses, failed, pods } = await calls.outcome;
  expect(failed).toEqual([]);
  expect(statuses).toEqual({ 200: RATE * seconds });
  return Object.keys(pods);
}

/** The same with gRPC beside it. */
async function expectNothingLostOfBoth(seconds: number, during: () => Promise<void>): Promise<string[]> {
  const target = `steady.${NS}:9000`;
  const calls = startCalls(NS, 'client', { kind: 'grpc', target, rate: GRPC_RATE, seconds });
  await calls.first;
  const answered = await expectNothingLost(seconds, during);
  const { statuses, failed } = await calls.outcome;
  expect(failed).toEqual([]);
  expect(statuses).toEqual({ OK: GRPC_RATE * seconds });
  return answered;
}

describe('under constant load no request is lost', () => {
  test('when a pod is deleted', async () => {
    const [victim] = await podsOf('steady');
    const answered = await expectNothingLostOfBoth(30, async () => {
      await kubectl('delete', 'pod', '-n', NS, victim);
      await rolledOut('steady', NS);
    });
    expect(answered).toContain(victim);
    expect(answered.length, 'the pod that replaced it has answered too').toBe(4);
  });

  test('in a rolling restart', async () => {
    const before = await podsOf('steady');
    const answered = await expectNothingLostOfBoth(30, async () => {
      await kubectl('rollout', 'restart', '-n', NS, 'deployment/steady');
      await rolledOut('steady', NS);
    });
    expect(answered).toEqual(expect.arrayContaining(before));
    expect(answered.length, 'three pods and the three that replaced them').toBe(6);
  });
});

test('requests that a pod has begun to answer are finished when it is deleted', async () => {
  const url = `http://steady.${NS}/?delay=4000`;
  const calls = startCalls(NS, 'client', { kind: 'http', url, count: 30, concurrency: 30 });
  const victims = await podsOf('steady');
  await eventually('all requests have reached the application', async () => {
    const active = victims.map(pod => metric(NS, pod, 'test_app_requests_active', 'app'));
    return (await Promise.all(active)).reduce((a, b) => a + b, 0) === 30 ? true : null;
  });
  await kubectl('delete', 'pod', '-n', NS, ...victims.slice(0, 2), '--wait=false');
  const { statuses, pods, failed } = await calls.outcome;
  expect(failed).toEqual([]);
  expect(statuses).toEqual({ 200: 30 });
  expect(Object.keys(pods).toSorted()).toEqual(victims.toSorted());
  await rolledOut('steady', NS);
});

describe.skipIf(noRoutes)('retries hide', () => {
  test('a pod that fails, which is ejected', async () => {
    const [failing] = await podsOf('flaky');
    await control(failing, '/fail?on=true');

    let hit = 0;
    await eventually('the failing pod is ejected', async () => {
      const bare = await get(NS, 'client-of-flaky', urlOf('flaky'), { count: 200 });
      expect(bare.failed.filter(({ pod }) => pod !== failing)).toEqual([]);
      hit += bare.statuses['503'] ?? 0;
      return (await metric(NS, 'client-of-flaky', 'tulle_ejections_total')) > 0 ? true : null;
    });
    expect(hit, 'without retries requests meet the failing pod').toBeGreaterThanOrEqual(5);

    const retried = await get(NS, 'client-of-retried', urlOf('retried'), { count: 500 });
    expect(retried.statuses, JSON.stringify(retried.failed)).toEqual({ 200: 500 });
    expect(await metric(NS, 'client-of-retried', 'tulle_retries_total')).toBeGreaterThan(0);
  });

  /** Calls, as many at a time as may be retried at once whatever the load, until `during` is over; not one may fail. */
  async function expectAllRetried(during: () => Promise<void>): Promise<void> {
    let over = false;
    const calling = (async () => {
      for (;;) {
        const last = over;
        const { failed } = await get(NS, 'client', urlOf('guarded'), { count: 1000, concurrency: 3 });
        expect(failed).toEqual([]);
        if (last) return;
      }
    })();
    try {
      await during();
    } finally {
      over = true;
      await calling;
    }
  }

  test('an application that crashes, whose pod is called again when it is back', async () => {
    const [crashing] = await podsOf('steady');
    await expectAllRetried(async () => {
      await control(crashing, '/crash');
      await waitFor(`pod/${crashing}`, 'jsonpath={.status.containerStatuses[0].restartCount}=1', NS);
      await waitFor(`pod/${crashing}`, 'condition=Ready', NS);
    });
    await eventually('the pod is called again', async () => {
      const { pods, failed } = await get(NS, 'client', urlOf('guarded'), { count: 300, concurrency: 3 });
      expect(failed).toEqual([]);
      return Object.hasOwn(pods, crashing) ? true : null;
    });
  });

  test.skipIf(noKit)('a sidecar that is killed, and comes back', async () => {
    const [victim] = await podsOf('steady');
    const ofSidecar = `{.status.initContainerStatuses[?(@.name=="${sidecarContainer}")]`;
    const id = await kubectl('get', 'pod', '-n', NS, victim, '-o', `jsonpath=${ofSidecar}.containerID}`);
    await expectAllRetried(async () => {
      const task = id.replace('containerd://', '');
      await must(`${kit}/enter`, ['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', task]);
      await waitFor(`pod/${victim}`, `jsonpath=${ofSidecar}.restartCount}=1`, NS);
      await waitFor(`pod/${victim}`, 'condition=Ready', NS);
    });
  });
});
