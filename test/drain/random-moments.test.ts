/**
 * SIGTERM to real sidecar processes at random moments, under mixed load: no request is lost, and no stream ends before its
 * time. TULLE_DRAIN_KILLS sets how many, TULLE_DRAIN_SEED repeats a run's choices (its timing is never quite the same):
 *
 *     TULLE_DRAIN_KILLS=500 npx vitest run test/drain
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../fuzz/http1/random.ts';
import { type Pod, type SidecarPods, startSidecarPods } from '../integration/sidecar-pods.ts';
import { type Applications, startApplications } from './applications.ts';
import { Load } from './load.ts';

const KILLS = Number(process.env['TULLE_DRAIN_KILLS'] ?? 50);
const SEED = Number(process.env['TULLE_DRAIN_SEED'] ?? Date.now() % 1_000_000);
/** Longer than any piece of work takes on a busy machine, so that nothing may be cut off. */
const DRAIN_SECONDS = 60;
/** The longest of the pauses before a SIGTERM, and from it to the end of the endpoint. */
const MAX_PAUSE_MS = 500;
const SERVERS = 4;
const CLIENTS = 2;

let pods: SidecarPods;
let applications: Applications;
const random = new Random(SEED);

beforeAll(async () => {
  // Each child adds a listener, so that none outlives this process.
  process.setMaxListeners(100);
  applications = await startApplications(() => random.below(30));
  const { http1, http2, grpc, tcp } = applications;
  pods = await startSidecarPods(
    [
      { name: 'http1', port: 8080, protocol: 'http', application: http1 },
      { name: 'http2', port: 8081, protocol: 'kubernetes.io/h2c', application: http2 },
      { name: 'grpc', port: 8082, protocol: 'grpc', application: grpc },
      { name: 'tcp', port: 8083, protocol: 'tcp', application: tcp },
      { name: 'ws', port: 8084, protocol: 'kubernetes.io/ws', application: http1 },
    ],
    { TULLE_DRAIN_SECONDS: String(DRAIN_SECONDS), TULLE_ACCESS_LOG: 'errors' },
  );
}, 120_000);
afterAll(async () => {
  await pods?.stop();
  applications?.close();
});

/** Resolves when the sidecar has ended by itself. */
async function ended({ name, sidecar: { process: child } }: Pod): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(`${name}: ${child.exitCode ?? child.signalCode}`).toBe(`${name}: 0`);
}

/** A pod that is ready takes over; the old one ends, and its callers hear of it before or after SIGTERM. */
async function replaceServer(servers: Pod[]): Promise<void> {
  const next = await server();
  const [old] = servers.splice(random.below(servers.length), 1);
  servers.push(next);
  await sleep(random.below(MAX_PAUSE_MS));
  const first = random.below(4) === 0;
  if (first) pods.withdraw(old);
  else old.sidecar.signal('SIGTERM');
  await sleep(random.below(MAX_PAUSE_MS));
  if (first) old.sidecar.signal('SIGTERM');
  else pods.withdraw(old);
  await ended(old);
}

interface Caller {
  readonly pod: Pod;
  readonly load: Load;
}

const loads: Load[] = [];
/** All that were ever there, whose access logs explain a failure. */
const all: Pod[] = [];

function accessLog(pod: Pod): string {
  const lines = pods
    .logOf(pod)
    .split('\n')
    .filter(line => line.includes('"response_flags"'));
  return lines.map(line => `${pod.name} ${line}\n`).join('');
}

async function server(): Promise<Pod> {
  const pod = await pods.server();
  all.push(pod);
  return pod;
}

async function caller(): Promise<Caller> {
  const pod = await pods.client();
  all.push(pod);
  const load = new Load(random, port => pods.callAt(pod, port));
  loads.push(load);
  return { pod, load };
}

/** The application goes on for a while after SIGTERM to its sidecar, which stays until it is gone. */
async function replaceClient(clients: Caller[]): Promise<void> {
  const next = await caller();
  const [{ pod, load }] = clients.splice(random.below(clients.length), 1);
  clients.push(next);
  await sleep(random.below(MAX_PAUSE_MS));
  pod.sidecar.signal('SIGTERM');
  await sleep(random.below(2 * MAX_PAUSE_MS));
  await load.stop();
  await ended(pod);
}

test(
  `${KILLS} sidecars end under load, and nothing is lost`,
  async () => {
    process.stdout.write(`TULLE_DRAIN_SEED=${SEED}\n`);
    const servers = await Promise.all(Array.from({ length: SERVERS }, server));
    const clients = await Promise.all(Array.from({ length: CLIENTS }, caller));
    const failed = (): string[] => loads.flatMap(({ failures }) => failures);
    let kills = 0;
    const replaceMany = async (replace: () => Promise<void>): Promise<void> => {
      while (kills < KILLS && failed().length === 0) {
        kills++;
        await replace();
      }
    };
    await Promise.all([
      ...Array.from({ length: SERVERS - 1 }, () => replaceMany(() => replaceServer(servers))),
      ...Array.from({ length: CLIENTS - 1 }, () => replaceMany(() => replaceClient(clients))),
    ]);
    await Promise.all(loads.map(load => load.stop()));
    const done = loads.reduce((sum, { total }) => sum + total, 0);
    process.stdout.write(`${kills} sidecars ended, ${done} pieces of work: ${JSON.stringify(sums())}\n`);
    if (failed().length > 0) process.stdout.write(all.map(accessLog).join(''));
    expect(failed()).toEqual([]);
  },
  120_000 + KILLS * 5000,
);

/** What was done, by protocol. */
function sums(): Record<string, number> {
  const total: Record<string, number> = {};
  for (const { done } of loads) {
    for (const [protocol, count] of Object.entries(done)) total[protocol] = (total[protocol] ?? 0) + count;
  }
  return total;
}
