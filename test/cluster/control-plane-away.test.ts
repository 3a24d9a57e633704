/** The control plane is away for a minute: what has its configuration goes on, what is new waits. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { controlPlaneName, systemNamespace } from '../../api/installation.ts';
import { apply, get as getObject, kubectl, rolledOut, tryKubectl, waitFor } from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { get, startCalls } from './mesh/client.ts';
import { clientPod, deployment, service } from './mesh/workloads.ts';

const NS = 'tulle-test-away';
const RATE = 200;
const SECONDS = 75;

let replicas = 1;

const scale = (to: number): Promise<string> =>
  kubectl('scale', `deployment/${controlPlaneName}`, '-n', systemNamespace, `--replicas=${to}`);

beforeAll(async () => {
  const { spec } = await getObject<{ spec: { replicas: number } }>(
    'deployment',
    controlPlaneName,
    systemNamespace,
  );
  replicas = Math.max(1, spec.replicas);
  await freshNamespaces(namespace(NS, enabled));
  await apply(
    ...deployment(NS, 'server', 2),
    service(NS, 'server', { app: 'server' }),
    clientPod(NS, 'client'),
  );
  await rolledOut('server', NS, 120);
  await waitFor('pod/client', 'condition=Ready', NS);
});
afterAll(async () => {
  await scale(replicas);
  await rolledOut(controlPlaneName, systemNamespace, 120);
  await deleteNamespaces(NS);
});

test('no request fails meanwhile, and pods of that minute come up when it is back', async () => {
  const url = `http://server.${NS}/`;
  const calls = startCalls(NS, 'client', { kind: 'http', url, rate: RATE, seconds: SECONDS });
  await calls.first;
  await scale(0);
  const selector = `app.kubernetes.io/name=${controlPlaneName}`;
  await kubectl('wait', '-n', systemNamespace, 'pod', '-l', selector, '--for=delete', '--timeout=40s');
  await apply(clientPod(NS, 'newcomer'));
  const early = await tryKubectl([
    'wait',
    '-n',
    NS,
    'pod/newcomer',
    '--for=condition=Ready',
    '--timeout=50s',
  ]);
  expect(early.stderr).toContain('timed out');
  await scale(replicas);
  await waitFor('pod/newcomer', 'condition=Ready', NS, 60);
  expect((await get(NS, 'newcomer', url)).statuses).toEqual({ 200: 1 });
  const { statuses, failed } = await calls.outcome;
  expect(failed).toEqual([]);
  expect(statuses).toEqual({ 200: RATE * SECONDS });
}, 240_000);
