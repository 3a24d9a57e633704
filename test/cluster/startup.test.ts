/** What the sidecar adds to the time until a pod is ready: a measurement, which fails only if a pod does not start. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apply, kubectl, waitFor } from './harness/kubectl.ts';
import { deleteNamespaces, disabled, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { testPod } from './mesh/workloads.ts';

const NS = 'tulle-test-startup';
const RUNS = 3;

beforeAll(() => freshNamespaces(namespace(NS, enabled)));
afterAll(() => deleteNamespaces(NS));

/** Seconds from the creation of a pod until it is ready, one pod after the other; the median. */
async function secondsUntilReady(name: string, annotations: Record<string, string>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const pod = `${name}-${i}`;
    const began = performance.now();
    await apply(testPod(NS, pod, { annotations }));
    await waitFor(`pod/${pod}`, 'condition=Ready', NS);
    times.push((performance.now() - began) / 1000);
    await kubectl('delete', 'pod', '-n', NS, pod, '--grace-period=1');
  }
  return times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)];
}

test('a pod with a sidecar becomes ready; the figures are printed', async () => {
  const plain = await secondsUntilReady('plain', disabled);
  const meshed = await secondsUntilReady('meshed', enabled);
  process.stdout.write(
    `pod created to Ready, median of ${RUNS}: ${plain.toFixed(1)} s without a sidecar, ${meshed.toFixed(1)} s with\n`,
  );
  expect(meshed).toBeGreaterThan(0);
});
