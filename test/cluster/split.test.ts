/** Canaries: the share of each version, by HTTPRoute and by TrafficSplit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  apply,
  eventually,
  get as getObject,
  type KubernetesObject,
  kubectl,
  rolledOut,
  waitFor,
} from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { get, startCalls } from './mesh/client.ts';
import {
  controlPlaneStart,
  type Definitions,
  ensure,
  gatewayApi,
  takeAway,
  trafficSplits,
} from './mesh/custom-resources.ts';
import { httpRoute, trafficSplit } from './mesh/routes.ts';
import { clientPod, service, version } from './mesh/workloads.ts';

const NS = 'tulle-test-split';
const REQUESTS = 2500;

beforeAll(async () => {
  await freshNamespaces(namespace(NS, enabled));
  await apply(
    ...version(NS, 'catalog', 'v1'),
    ...version(NS, 'catalog', 'v2'),
    // One Service for each test, so that none sees the rules of another; all have the same pods.
    ...['routed', 'split', 'older', 'appearing-route', 'appearing-split'].map(name =>
      service(NS, name, { part: 'catalog' }),
    ),
    clientPod(NS, 'client'),
  );
  await rolledOut('catalog-v1', NS, 120);
  await rolledOut('catalog-v2', NS, 120);
  await waitFor('pod/client', 'condition=Ready', NS);
});
afterAll(() => deleteNamespaces(NS));

const urlOf = (name: string): string => `http://${name}.${NS}/`;
const weights = (v1: number, v2: number): Record<string, number> => ({
  'catalog-v1': v1,
  'catalog-v2': v2,
});

/** Asks until v2 has more of 100 answers than `least` and fewer than `most`: until a rule has arrived. */
function shareBetween(name: string, least: number, most: number): Promise<true> {
  return eventually(`v2 has more than ${least} % and less than ${most} %`, async () => {
    const { versions, failed } = await get(NS, 'client', urlOf(name), { count: 100, concurrency: 4 });
    expect(failed).toEqual([]);
    const share = versions.v2 ?? 0;
    return share > least && share < most ? true : null;
  });
}

/**
 * Whether v2 has its share of many requests, within three standard deviations of the binomial distribution. A fair
 * split is outside of that once in 370 times, so a second sample decides.
 */
async function expectShare(name: string, share: number): Promise<void> {
  const limit = 3 * Math.sqrt(REQUESTS * share * (1 - share));
  const sample = async (): Promise<number> => {
    const outcome = await get(NS, 'client', urlOf(name), { count: REQUESTS, concurrency: 8 });
    expect(outcome.statuses, JSON.stringify(outcome.failed)).toEqual({ 200: REQUESTS });
    return Math.abs((outcome.versions.v2 ?? 0) - share * REQUESTS);
  };
  const first = await sample();
  if (first > limit)
    expect(await sample(), `after a first sample that was ${first} off`).toBeLessThanOrEqual(limit);
}

async function expectCanary(
  name: string,
  object: (v1: number, v2: number) => KubernetesObject,
): Promise<void> {
  await apply(object(90, 10));
  await shareBetween(name, 0, 32);
  await expectShare(name, 0.1);
  const calls = startCalls(NS, 'client', { kind: 'http', url: urlOf(name), rate: 100, seconds: 10 });
  await calls.first;
  await apply(object(50, 50));
  await shareBetween(name, 32, 70);
  await expectShare(name, 0.5);
  expect((await calls.outcome).statuses, 'while the rule changed').toEqual({ 200: 1000 });
}

const missing = {
  routes: await ensure(gatewayApi),
  splits: await ensure(trafficSplits),
};
for (const reason of Object.values(missing))
  if (reason !== null) process.stderr.write(`split.test.ts: skipped in part: ${reason}\n`);

test.skipIf(missing.routes !== null)('an HTTPRoute splits 90/10, then 50/50, and no request fails', () =>
  expectCanary('routed', (v1, v2) => httpRoute(NS, 'routed', weights(v1, v2))),
);

describe.skipIf(missing.splits !== null)(
  'a TrafficSplit splits 90/10, then 50/50, and no request fails',
  () => {
    test('of v1alpha4', () =>
      expectCanary('split', (v1, v2) => trafficSplit('v1alpha4', NS, 'split', weights(v1, v2))));

    test('of v1alpha2', () =>
      expectCanary('older', (v1, v2) => trafficSplit('v1alpha2', NS, 'older', weights(v1, v2))));
  },
);

describe('definitions that are installed after Tulle has started are picked up:', () => {
  async function expectPickedUp(
    definitions: Definitions,
    name: string,
    object: KubernetesObject,
    skip: (reason: string) => void,
  ): Promise<void> {
    await kubectl('delete', definitions.resource, '--all', '-n', NS, '--ignore-not-found');
    const reason = await takeAway(definitions);
    if (reason !== null) {
      process.stderr.write(`split.test.ts: ${name} is skipped: ${reason}\n`);
      skip(reason);
      return;
    }
    await shareBetween(name, 20, 80);
    await definitions.install();
    const { metadata } = await getObject<{ metadata: { creationTimestamp: string } }>('crd', definitions.crd);
    expect(Date.parse(metadata.creationTimestamp)).toBeGreaterThan((await controlPlaneStart()).getTime());
    await apply(object);
    await shareBetween(name, 90, 101);
  }

  test("Gateway API's", ({ skip }) =>
    expectPickedUp(gatewayApi, 'appearing-route', httpRoute(NS, 'appearing-route', weights(0, 1)), skip));

  test("SMI's", ({ skip }) =>
    expectPickedUp(
      trafficSplits,
      'appearing-split',
      trafficSplit('v1alpha4', NS, 'appearing-split', weights(0, 1)),
      skip,
    ));
});
