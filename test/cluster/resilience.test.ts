/** Pods that fail, end and are replaced, while clients call. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apply, exec, kubectl, rolledOut, tryKubectl, waitFor } from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { get, startCalls } from './mesh/client.ts';
import { ensure, gatewayApi } from './mesh/custom-resources.ts';
import { httpRoute } from './mesh/routes.ts';
import { metric } from './mesh/scrape.ts';
import { clientPod, deployment, service } from './mesh/workloads.ts';

const NS = 'tulle-test-resilience';
const RATE = 200;
const SECONDS = 30;

beforeAll(async () => {
  await freshNamespaces(namespace(NS, enabled));
  await apply(
    ...deployment(NS, 'steady', 3),
    service(NS, 'steady', { app: 'steady' }),
    ...deployment(NS, 'flaky', 3),
    service(NS, 'flaky', { app: 'flaky' }),
    service(NS, 'retried', { app: 'flaky' }),
    ...['client', 'client-of-flaky', 'client-of-retried'].map(name => clientPod(NS, name)),
  );
  for (const name of ['steady', 'flaky']) await rolledOut(name, NS, 120);
  for (const name of ['client', 'client-of-flaky', 'client-of-retried'])
    await waitFor(`pod/${name}`, 'condition=Ready', NS);
}, 240_000);
afterAll(() => deleteNamespaces(NS));

const podsOf = async (app: string): Promise<string[]> =>
  (
    await kubectl('get', 'pod', '-n', NS, '-l', `app=${app}`, '-o', 'jsonpath={.items[*].metadata.name}')
  ).split(' ');

/** Calls at a constant rate while `during` happens; not one may fail. */
async function expectNothingLost(during: () => Promise<void>): Promise<string[]> {
  const url = `http://steady.${NS}/`;
  const calls = startCalls(NS, 'client', { kind: 'http', url, rate: RATE, seconds: SECONDS });
  await calls.first;
  await during();
  const { statuses, failed, pods } = await calls.outcome;
  expect(failed).toEqual([]);
  expect(statuses).toEqual({ 200: RATE * SECONDS });
  return Object.keys(pods);
}

test('deleting a pod under constant load loses no request', async () => {
  const [victim] = await podsOf('steady');
  const answered = await expectNothingLost(async () => {
    await kubectl('delete', 'pod', '-n', NS, victim);
    await rolledOut('steady', NS);
  });
  expect(answered).toContain(victim);
  expect(answered.length, 'the pod that replaced it has answered too').toBe(4);
});

test('a rolling restart under constant load loses no request', async () => {
  const before = await podsOf('steady');
  const answered = await expectNothingLost(async () => {
    await kubectl('rollout', 'restart', '-n', NS, 'deployment/steady');
    await rolledOut('steady', NS);
  });
  expect(answered).toEqual(expect.arrayContaining(before));
  expect(answered.length, 'three pods and the three that replaced them').toBe(6);
});

const noRoutes = await ensure(gatewayApi);
if (noRoutes !== null) process.stderr.write(`resilience.test.ts: skipped in part: ${noRoutes}\n`);

test.skipIf(noRoutes !== null)('retries hide a pod that fails, and the pod is ejected', async () => {
  const [failing] = await podsOf('flaky');
  await exec(NS, failing, 'app', '/usr/bin/curl', '-sf', '-X', 'PUT', 'http://127.0.0.1:8080/fail?on=true');
  const count = { count: 500 };

  const bare = await get(NS, 'client-of-flaky', `http://flaky.${NS}/`, count);
  expect(bare.statuses['503'], 'without retries some requests meet the failing pod').toBeGreaterThan(0);
  expect(new Set(bare.failed.map(({ pod }) => pod))).toEqual(new Set([failing]));
  expect(await metric(NS, 'client-of-flaky', 'tulle_ejections_total')).toBeGreaterThan(0);

  await apply(
    httpRoute(NS, 'retried', { retried: 1 }, { retry: { codes: [503], attempts: 2, backoff: '25ms' } }),
  );
  const retried = await get(NS, 'client-of-retried', `http://retried.${NS}/`, count);
  expect(retried.statuses, JSON.stringify(retried.failed)).toEqual({ 200: 500 });
  expect(await metric(NS, 'client-of-retried', 'tulle_retries_total')).toBeGreaterThan(0);
  expect(await metric(NS, 'client-of-retried', 'tulle_ejections_total')).toBeGreaterThan(0);
});

test('a pod whose application has crashed is not called again until it is back', async () => {
  const [crashing] = await podsOf('steady');
  await get(NS, 'client', `http://steady.${NS}/`, { count: 30 });
  // The connection of this very call breaks: that is what is asked for.
  await tryKubectl([
    'exec',
    '-n',
    NS,
    crashing,
    '-c',
    'app',
    '--',
    '/usr/bin/curl',
    '-s',
    '-X',
    'PUT',
    'http://127.0.0.1:8080/crash',
  ]);
  const { statuses, failed } = await get(NS, 'client', `http://steady.${NS}/`, { count: 300 });
  expect(failed).toEqual([]);
  expect(statuses).toEqual({ 200: 300 });
  await waitFor(`pod/${crashing}`, 'jsonpath={.status.containerStatuses[0].restartCount}=1', NS);
});
