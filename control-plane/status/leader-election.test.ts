import { expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { ApiError } from '../../runtime/kubernetes/api-client.ts';
import { createLogger } from '../../runtime/log.ts';
import { LeaderElection, type LeaderElectionOptions } from './leader-election.ts';

type Api = LeaderElectionOptions['api'];

interface Lease {
  metadata: { name: string; resourceVersion: string };
  spec: Record<string, unknown>;
}

/** One Lease with versions as the API server keeps them; the real one is in test/integration/status-kubernetes.test.ts. */
function leases(): Api & { lease: Lease | null; down: boolean; writes: number } {
  const fail = (status: number): never => {
    throw new ApiError('PUT', 'lease', status, 'refused');
  };
  return {
    lease: null,
    down: false,
    writes: 0,
    get<T>() {
      if (this.down) return Promise.reject(new Error('unreachable'));
      if (this.lease === null) return Promise.resolve().then(() => fail(404));
      return Promise.resolve(structuredClone(this.lease) as T);
    },
    create<T>(_: string, object: object) {
      if (this.down) return Promise.reject(new Error('unreachable'));
      if (this.lease !== null) return Promise.resolve().then(() => fail(409));
      this.lease = object as Lease;
      this.lease.metadata.resourceVersion = String(++this.writes);
      return Promise.resolve(object as T);
    },
    replace<T>(_: string, object: object) {
      if (this.down) return Promise.reject(new Error('unreachable'));
      const { resourceVersion } = (object as Lease).metadata;
      if (resourceVersion !== this.lease?.metadata.resourceVersion)
        return Promise.resolve().then(() => fail(409));
      this.lease = structuredClone(object) as Lease;
      this.lease.metadata.resourceVersion = String(++this.writes);
      return Promise.resolve(object as T);
    },
  };
}

const log = createLogger('test', 'silent');

function candidate(api: Api, clock: ManualClock, identity: string) {
  const told: boolean[] = [];
  const election = new LeaderElection({
    api,
    namespace: 'n',
    name: 'l',
    identity,
    clock,
    log,
    onChange: leading => told.push(leading),
  });
  return { election, told };
}

/** Requests answer in microtasks: all have when this resolves. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

async function pass(clock: ManualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1000);
    await settled();
  }
}

test('the first leads, renews, and gives the lease up when it stops; the other follows at once', async () => {
  const api = leases();
  const clock = new ManualClock();
  const a = candidate(api, clock, 'a');
  const b = candidate(api, clock, 'b');
  a.election.start();
  await settled();
  b.election.start();
  await pass(clock, 60);
  expect([a.told, b.told]).toEqual([[true], []]);
  expect(api.lease?.spec).toEqual({
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    acquireTime: '2023-11-14T22:13:20.000000Z',
    renewTime: '2023-11-14T22:14:20.000000Z',
    leaseTransitions: 0,
  });
  await a.election.stop();
  await pass(clock, 2);
  expect([a.told, b.told]).toEqual([[true, false], [true]]);
  expect(api.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

test('a leader that cannot renew stops after 10 s, and another takes over 15 s after the last change', async () => {
  const api = leases();
  const clock = new ManualClock();
  const a = candidate(
    {
      get: (...args) => (cut ? Promise.reject(new Error('cut off')) : api.get(...args)),
      create: (...args) => api.create(...args),
      replace: (...args) => api.replace(...args),
    },
    clock,
    'a',
  );
  let cut = false;
  const b = candidate(api, clock, 'b');
  a.election.start();
  await settled();
  b.election.start();
  await settled();
  cut = true;
  await pass(clock, 9);
  expect(a.election.leading).toBe(true);
  await pass(clock, 1);
  expect([a.election.leading, a.told]).toEqual([false, [true, false]]);
  await pass(clock, 4);
  expect(b.told).toEqual([]);
  await pass(clock, 2);
  expect(b.told).toEqual([true]);
  cut = false;
  await pass(clock, 30);
  expect([a.told, b.told]).toEqual([[true, false], [true]]);
});

test('a leader whose process was suspended does not lead when it wakes up', async () => {
  const api = leases();
  const clock = new ManualClock();
  let now = (): number => clock.now();
  const a = new LeaderElection({
    api,
    namespace: 'n',
    name: 'l',
    identity: 'a',
    clock: { now: () => now(), unix: () => clock.unix(), after: (ms, callback) => clock.after(ms, callback) },
    log,
    onChange: () => {},
  });
  a.start();
  await settled();
  expect(a.leading).toBe(true);
  // Time has gone on, and no timer has run.
  now = () => 10_000;
  expect(a.leading).toBe(false);
});

test('a leader steps down at once when another has written the lease in between', async () => {
  const api = leases();
  const clock = new ManualClock();
  let between = (): void => {};
  const a = candidate(
    {
      async get(...args) {
        const lease = await api.get(...args);
        between();
        return lease as never;
      },
      create: (...args) => api.create(...args),
      replace: (...args) => api.replace(...args),
    },
    clock,
    'a',
  );
  a.election.start();
  await settled();
  between = () => {
    if (api.lease === null) return;
    api.lease.metadata.resourceVersion = 'x';
    api.lease.spec.holderIdentity = 'b';
  };
  await pass(clock, 2);
  expect(a.told).toEqual([true, false]);
});

test('of two that start together one leads, and an API server that is away for a moment changes nothing', async () => {
  const api = leases();
  const clock = new ManualClock();
  const both = ['a', 'b'].map(identity => candidate(api, clock, identity));
  for (const { election } of both) election.start();
  await settled();
  expect(both.flatMap(({ told }) => told)).toEqual([true]);
  api.down = true;
  await pass(clock, 7);
  api.down = false;
  await pass(clock, 60);
  expect(both.flatMap(({ told }) => told)).toEqual([true]);
});
