/** A real Prometheus finds the pods by their annotations, and its answers agree with what the clients counted. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ports } from '../../api/ports.ts';
import { apply, eventually, get as getObject, kubectl, rolledOut, waitFor } from './harness/kubectl.ts';
import { deleteNamespaces, disabled, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { call, get, startCalls } from './mesh/client.ts';
import { findPrometheus, Prometheus } from './mesh/prometheus.ts';
import { clientPod, deployment, service } from './mesh/workloads.ts';

const NS = 'tulle-test-prometheus';
const counted = `counted.${NS}.svc.cluster.local`;
const loaded = `loaded.${NS}.svc.cluster.local`;
const remote = `remote.${NS}.svc.cluster.local`;

let prometheus: Prometheus | null = null;
/** Why there is nothing to test with, null if there is. */
let missing: string | null = null;

/** Whether this machine reaches pods, which Prometheus on it must. */
async function reaches(pod: string): Promise<boolean> {
  const { status } = await getObject<{ status: { podIP: string } }>('pod', pod, NS);
  const url = `http://${status.podIP}:${ports.admin}/metrics`;
  return fetch(url, { signal: AbortSignal.timeout(3000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

beforeAll(async () => {
  const program = findPrometheus();
  if (program === null) {
    missing = 'there is no prometheus on this machine';
    return;
  }
  await freshNamespaces(namespace(NS, enabled));
  const ownMetrics = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8080' };
  await apply(
    // A pod's sidecar counts under one Service for each port, so each Service has pods of its own.
    ...['counted', 'loaded'].flatMap(name => [
      ...deployment(NS, name, 2, { annotations: ownMetrics, labels: { part: 'server' } }),
      service(NS, name, { app: name }),
    ]),
    service(NS, 'remote', { app: 'counted' }, [[9000, 9000]]),
    clientPod(NS, 'client'),
    clientPod(NS, 'outsider', { annotations: disabled }),
  );
  for (const name of ['counted', 'loaded']) await rolledOut(name, NS, 120);
  for (const pod of ['client', 'outsider']) await waitFor(`pod/${pod}`, 'condition=Ready', NS);
  if (await reaches('client')) prometheus = await Prometheus.start(program, NS);
  else missing = 'this machine does not reach the pods of the cluster';
});
beforeEach(({ skip }) => {
  if (missing === null) return;
  process.stderr.write(`prometheus.test.ts is skipped: ${missing}\n`);
  skip(missing);
});
afterAll(async () => {
  await prometheus?.stop();
  await deleteNamespaces(NS);
});

function running(): Prometheus {
  if (prometheus === null) throw new Error('Prometheus has not been started');
  return prometheus;
}

describe('Prometheus', () => {
  test('finds every sidecar by its annotations, and nothing else', async () => {
    const servers = await kubectl(
      'get',
      'pod',
      '-n',
      NS,
      '-l',
      'part=server',
      '-o',
      'jsonpath={.items[*].metadata.name}',
    );
    const expected = ['client', ...servers.split(' ')].toSorted();
    const targets = await eventually('all targets are up', async () => {
      const found = await running().targets();
      return found.length >= expected.length && found.every(({ health }) => health === 'up') ? found : null;
    });
    expect(targets.map(({ labels }) => labels.pod).toSorted()).toEqual(expected);
    for (const { scrapeUrl } of targets) expect(scrapeUrl).toMatch(/:14020\/metrics$/);
  });

  /** Sums of `istio_requests_total` by a label, once their total is what was sent. */
  async function counts(label: string, reporter: string, destination: string, total: number) {
    const query = `sum by (${label}) (istio_requests_total{reporter="${reporter}",destination_service="${destination}"})`;
    return eventually(`${total} requests by ${label} at the ${reporter}`, async () => {
      const found = await running().by(label, query);
      const sum = Object.values(found).reduce((a, b) => a + b, 0);
      if (sum === total) return found;
      throw new Error(JSON.stringify(found));
    });
  }

  test('counts by destination_service and response_code what the client has counted', async () => {
    const sent = { 200: 150, 404: 30, 500: 20 };
    for (const [status, count] of Object.entries(sent)) {
      const outcome = await get(NS, 'client', `http://counted.${NS}/?status=${status}`, { count });
      expect(outcome.statuses).toEqual({ [status]: count });
    }
    for (const reporter of ['source', 'destination'])
      expect(await counts('response_code', reporter, counted, 200), reporter).toEqual(sent);
    expect(await counts('connection_security_policy', 'destination', counted, 200)).toEqual({
      mutual_tls: 200,
    });
    expect(await counts('source_principal', 'destination', counted, 200)).toEqual({
      [`spiffe://cluster.local/ns/${NS}/sa/default`]: 200,
    });
    const ratio = `sum(istio_requests_total{reporter="destination",destination_service="${counted}",response_code!~"5.."}) / sum(istio_requests_total{reporter="destination",destination_service="${counted}"})`;
    expect(await running().value(ratio)).toBeCloseTo(0.9, 10);
  });

  test('counts gRPC by its own status', async () => {
    const outcome = await call(NS, 'client', { kind: 'grpc', target: `remote.${NS}:9000`, count: 40 });
    expect(outcome.statuses).toEqual({ OK: 40 });
    expect(await counts('grpc_response_status', 'source', remote, 40)).toEqual({ 0: 40 });
    expect(await counts('request_protocol', 'destination', remote, 40)).toEqual({ grpc: 40 });
  });

  test('gives the rate of requests and the ratio of successes', async () => {
    const load = (rate: number, seconds: number, path: string) =>
      startCalls(NS, 'client', { kind: 'http', url: `http://loaded.${NS}/${path}`, rate, seconds }).outcome;
    // Each series is there before: rate() does not know what came with a series' first sample.
    await Promise.all([load(10, 1, ''), load(10, 1, '?status=500')]);
    await counts('response_code', 'destination', loaded, 20);
    const began = performance.now();
    const [good, bad] = await Promise.all([load(90, 20, ''), load(10, 20, '?status=500')]);
    expect({ ...good.statuses, ...bad.statuses }).toEqual({ 200: 1800, 500: 200 });
    expect(await counts('response_code', 'destination', loaded, 2020)).toEqual({ 200: 1810, 500: 210 });

    // The window has all of the load in it, however unevenly a busy machine has sent it.
    const seconds = Math.floor((performance.now() - began) / 1000);
    const selector = `reporter="destination",destination_service="${loaded}"`;
    const rate = `sum(rate(istio_requests_total{${selector}}[${seconds}s]))`;
    const successes = `sum(rate(istio_requests_total{${selector},response_code!~"5.."}[${seconds}s]))`;
    const expected = 2000 / seconds;
    const measured = await running().value(rate);
    expect(measured).toBeGreaterThan(expected * 0.9);
    expect(measured).toBeLessThan(expected * 1.1);
    expect(await running().value(`${successes} / ${rate}`)).toBeCloseTo(0.9, 1);
  });

  test("has the application's own metrics, out of the same scrape", async () => {
    // What the application counts: each request once, and none of the scrapes.
    const values = await eventually('all are counted', async () => {
      const found = await running().by('pod', 'test_app_requests_total');
      const sum = Object.values(found).reduce((a, b) => a + b, 0);
      if (sum === 200 + 2020) return found;
      throw new Error(JSON.stringify(found));
    });
    expect(Object.keys(values).length).toBe(4);
  });
});
