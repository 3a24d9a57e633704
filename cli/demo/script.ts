/** `npm run demo -- --once`: plays through what a user would try, and judges each observation. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, failed, type Load, type Tally } from './load.ts';
import { parsePrometheusText, type Sample, sum } from './prometheus-text.ts';
import type { World } from './world.ts';

export interface Observation {
  what: string;
  figure: string;
  holds: boolean;
}

interface Stage {
  world: World;
  load: Load;
  /** Folder of the manifests, which the script edits. */
  manifests: string;
  report: (observation: Observation) => void;
}

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

function tally(load: Load, name: string): Tally {
  const found = load.tallies.get(name);
  if (found === undefined) throw new Error(`no target ${name}`);
  return found;
}

/** Waits until `condition` holds; false if it does not within the time. */
async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

async function samplesOf(stage: Stage, deployment: string): Promise<Sample[]> {
  const [pod] = stage.world.podsOf(deployment);
  return parsePrometheusText(await stage.world.metrics(pod));
}

function describe(counts: Tally): string {
  const errors = [...counts.errors].map(([error, times]) => `${times}x ${error}`).join('; ');
  return `${answered(counts)} requests, ${failed(counts)} failed${errors === '' ? '' : ` (${errors})`}`;
}

function judgeNoLoss(stage: Stage, what: string): void {
  const all = [...stage.load.tallies.values()];
  const lost = all.reduce((total, counts) => total + failed(counts), 0);
  const details = [...stage.load.tallies].map(([name, counts]) => `${name}: ${describe(counts)}`).join(', ');
  stage.report({ what, figure: details, holds: lost === 0 && all.every(counts => answered(counts) > 0) });
}

async function mutualTls(stage: Stage): Promise<void> {
  stage.load.reset();
  await eventually(() => answered(tally(stage.load, 'catalog')) >= 100, 10_000);
  const callers = [...tally(stage.load, 'catalog').callers];
  const expected = 'spiffe://cluster.local/ns/shop/sa/load';
  stage.report({
    what: 'the service sees the identity of its caller',
    figure: callers.join(', ') || 'none',
    holds: callers.length === 1 && callers[0] === expected,
  });
  const samples = await samplesOf(stage, 'load');
  const secured = sum(samples, 'istio_requests_total', { connection_security_policy: 'mutual_tls' });
  const total = sum(samples, 'istio_requests_total');
  stage.report({
    what: 'all requests between sidecars are mutual TLS',
    figure: `${secured} of ${total}`,
    holds: total > 0 && secured === total,
  });
}

/** Share of v2 in the answers of `requests` requests, within three standard deviations of what is expected. */
async function split(stage: Stage, share: number, requests: number): Promise<void> {
  stage.load.reset();
  const counts = tally(stage.load, 'catalog');
  await eventually(() => answered(counts) >= requests, 60_000);
  const v2 = counts.versions.get('v2') ?? 0;
  const total = v2 + (counts.versions.get('v1') ?? 0);
  const tolerance = 3 * Math.sqrt((share * (1 - share)) / total);
  stage.report({
    what: `canary ${Math.round((1 - share) * 100)}/${Math.round(share * 100)}`,
    figure: `${((100 * v2) / total).toFixed(1)} % v2 of ${total} requests (±${(100 * tolerance).toFixed(1)})`,
    holds: total >= requests && Math.abs(v2 / total - share) <= tolerance && failed(counts) === 0,
  });
}

async function editCanary(stage: Stage): Promise<void> {
  const file = join(stage.manifests, 'catalog-canary.yaml');
  stage.load.reset();
  const edited = readFileSync(file, 'utf8')
    .replace('weight: 90', 'weight: 50')
    .replace('weight: 10', 'weight: 50');
  const started = performance.now();
  writeFileSync(file, edited);
  const counts = tally(stage.load, 'catalog');
  // With 10 % v2, three answers of v2 in a row within five are rare enough to tell that the rule has changed.
  let seen = 0;
  const changed = await eventually(() => {
    const v2 = counts.versions.get('v2') ?? 0;
    const total = v2 + (counts.versions.get('v1') ?? 0);
    seen = performance.now() - started;
    return total >= 40 && v2 / total > 0.3;
  }, 5000);
  stage.report({
    what: 'editing the manifest changes the split, without a failed request',
    figure: `${seen.toFixed(0)} ms until seen over 40 requests; ${describe(counts)}`,
    holds: changed && failed(counts) === 0,
  });
  await split(stage, 0.5, 2000);
}

async function failingEndpoint(stage: Stage): Promise<void> {
  const { world, load } = stage;
  const before = await samplesOf(stage, 'load');
  const [victim] = world.podsOf('orders');
  load.reset();
  await world.fault(victim, 0.5);
  const counts = tally(load, 'orders');
  let after: Sample[] = before;
  const ejected = await eventually(async () => {
    after = await samplesOf(stage, 'load');
    const grown = sum(after, 'tulle_ejections_total') > sum(before, 'tulle_ejections_total');
    return grown && answered(counts) >= 500;
  }, 30_000);
  const retries = sum(after, 'tulle_retries_total') - sum(before, 'tulle_retries_total');
  const budget = { reason: 'budget' };
  const denied =
    sum(after, 'tulle_retries_denied_total', budget) - sum(before, 'tulle_retries_denied_total', budget);
  stage.report({
    what: 'an endpoint that fails half of its requests is hidden by retries, within their budget',
    figure: `${describe(counts)}, ${retries} retries, ${denied} beyond the budget`,
    // When the machine stalls, requests pile up and so do retries; the budget then lets some fail, which is its purpose.
    holds: failed(counts) <= denied && failed(counts) <= 0.01 * answered(counts) && retries > 0,
  });
  stage.report({
    what: 'and ejected',
    figure: `${sum(after, 'tulle_ejections_total') - sum(before, 'tulle_ejections_total')} ejections`,
    holds: ejected,
  });
  await world.fault(victim, 0);
}

async function killedEndpoint(stage: Stage): Promise<void> {
  const { world, load } = stage;
  const [victim] = world.podsOf('orders');
  load.reset();
  await world.crashPod(victim);
  const counts = tally(load, 'orders');
  const reached = answered(counts) + 300;
  await eventually(() => answered(counts) >= reached, 20_000);
  stage.report({
    what: 'an endpoint is killed (SIGKILL), and its clients see no error',
    figure: describe(counts),
    holds: failed(counts) === 0 && answered(counts) >= reached,
  });
  world.deletePod(victim);
  await world.startPod(victim.deployment);
}

async function withoutControlPlane(stage: Stage): Promise<void> {
  const { world, load } = stage;
  load.reset();
  await world.stopControlPlane();
  await sleep(10_000);
  judgeNoLoss(stage, 'the control plane is away for 10 s, and traffic goes on');
  world.startControlPlane();
  await eventually(() => world.controlPlaneReady(), 10_000);
  const connected = await eventually(
    async () => sum(await samplesOf(stage, 'load'), 'tulle_control_plane_connected') === 1,
    15_000,
  );
  stage.report({
    what: 'the sidecars find it again',
    figure: connected ? 'connected' : 'not connected',
    holds: connected,
  });
}

async function rollingRestart(stage: Stage): Promise<void> {
  stage.load.reset();
  await stage.world.rollingRestart('orders');
  await stage.world.rollingRestart('catalog-v1');
  judgeNoLoss(stage, 'a rolling restart loses nothing');
}

async function metricsAgree(stage: Stage): Promise<void> {
  const { load } = stage;
  // Both versions of the catalog: destination_service tells them apart, the canonical service does not.
  const labels = { reporter: 'source', destination_canonical_service: 'catalog' };
  await load.stop();
  const before = await samplesOf(stage, 'load');
  load.reset();
  const target = { name: 'catalog', url: 'http://catalog.shop/items', rate: 0 };
  await Promise.all(Array.from({ length: 500 }, () => load.send(target)));
  const counted = answered(tally(load, 'catalog'));
  let measured = 0;
  const agree = await eventually(async () => {
    const after = await samplesOf(stage, 'load');
    measured = 0;
    for (const status of tally(load, 'catalog').statuses.keys()) {
      const withStatus = { ...labels, response_code: String(status) };
      measured +=
        sum(after, 'istio_requests_total', withStatus) - sum(before, 'istio_requests_total', withStatus);
    }
    return measured === counted;
  }, 2000);
  stage.report({
    what: "the sidecar's metrics agree with the load generator's counts",
    figure: `${measured} measured, ${counted} counted`,
    holds: agree && counted === 500,
  });
}

/** Plays every scene in order; observations are reported as they are made. */
export async function play(stage: Stage): Promise<void> {
  await mutualTls(stage);
  await split(stage, 0.1, 2000);
  await editCanary(stage);
  await failingEndpoint(stage);
  await killedEndpoint(stage);
  await withoutControlPlane(stage);
  await rollingRestart(stage);
  await metricsAgree(stage);
}
