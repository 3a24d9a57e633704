/** Replicas that ask each other over their admin ports. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { isEarlier } from '../sources/kubernetes/resource-version.ts';
import { createAdminServer } from '../telemetry/admin-server.ts';
import { type Replicas, replicas } from './ask-replica.ts';
import { InForce } from './in-force.ts';

class Replica {
  read = '100';
  /** What waits for the clients of this replica. */
  readonly applying: (() => void)[] = [];
  others: string[] = [];
  readonly inForce: InForce;
  readonly server: Server;

  constructor(asking: Replicas, longestMs: number) {
    this.inForce = new InForce({
      changes: () => ({ HTTPRoute: this.read }),
      hasRead: ({ HTTPRoute }) => !isEarlier(this.read, HTTPRoute),
      whenDelivered: callback => callback(),
      whenApplied: callback => this.applying.push(callback),
      replicas: () => this.others,
      ask: (replica, changes) => asking.ask(replica, changes),
      clock: systemClock,
      longestMs,
    });
    this.server = createAdminServer({
      registry: new Registry(),
      waiting: () => [],
      problems: () => [],
      inForce: changes => this.inForce.here(changes),
    });
  }

  async listen(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}

let asking: Replicas;
let leader: Replica;
let other: Replica;
let told: boolean;

const ask = (): void => {
  told = false;
  void leader.inForce.everywhere().then(() => {
    told = true;
  });
};

async function start(longestMs: number): Promise<void> {
  leader = new Replica(asking, longestMs);
  other = new Replica(asking, longestMs);
  leader.others = [await other.listen()];
}

beforeEach(() => {
  asking = replicas();
});

afterEach(async () => {
  other.server.closeAllConnections();
  other.server.close();
  await asking.close();
});

it('a change is in force when the clients of every replica have it', async () => {
  await start(60_000);
  ask();
  await expect.poll(() => other.applying.length).toBe(1);
  leader.applying[0]();
  other.applying[0]();
  await expect.poll(() => told).toBe(true);
});

it('another replica first reads as far as the one that asks', async () => {
  await start(60_000);
  leader.read = '1002';
  ask();
  leader.applying[0]();
  // A later request, for less, is passed on at once: so the first is there and waits.
  leader.read = '100';
  void leader.inForce.everywhere();
  await expect.poll(() => other.applying.length).toBe(1);
  expect(told).toBe(false);
  other.read = '1002';
  await expect.poll(() => other.applying.length).toBe(2);
  expect(told).toBe(false);
  for (const applied of other.applying) applied();
  await expect.poll(() => told).toBe(true);
});

it('one that does not come as far, and one that is not there, hold nothing up for ever', async () => {
  await start(0);
  leader.others.push('127.0.0.1:1');
  leader.read = '1002';
  ask();
  leader.applying[0]();
  await expect.poll(() => told).toBe(true);
  expect(other.applying).toEqual([]);
});
