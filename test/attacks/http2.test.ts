/**
 * Attacks of HTTP/2 clients on each way into a sidecar. Every one ends as its table says and is counted, costs the
 * sidecars a bounded amount, and leaves the requests of another connection untouched.
 *
 * `ATTACK_SECONDS=N` makes every attack again and again for so long, by four connections at once; `ATTACK_REPORT=FILE`
 * writes what each cost, and how long the requests of the neighbour took meanwhile.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Application } from './application.ts';
import { Child } from './child.ts';
import { HTTP2_ATTACKS, type Http2Attack } from './http2-attacks.ts';
import type { Order, Service } from './neighbour.ts';
import { ENTRIES, type Entry, RawHttp2 } from './raw-http2.ts';
import type { Usage } from './victim.ts';
import { VictimProcess } from './victim-process.ts';

/** Links between sidecars allow a hundred times as much; here as much as the others, so that a test ends. */
const MESH_LIMITS =
  'mesh.resets=1000,mesh.emptyData=1000,mesh.priorities=5000,mesh.windowUpdates=10000,mesh.maxHeaderListBytes=65536,mesh.maxFrameBytes=16384';
const SECONDS = Number(process.env['ATTACK_SECONDS'] ?? 0);
const ATTACKERS = SECONDS === 0 ? 1 : 4;
const MIB = 1_048_576;

const report: string[] = [];

afterAll(() => {
  const file = process.env['ATTACK_REPORT'];
  if (file === undefined) return;
  const head =
    '| attack | way in | times | sent, KiB | CPU, ms | memory, MiB | requests beside it | p50, ms | p99, ms | most, ms |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n';
  writeFileSync(file, `${head}${report.join('\n')}\n`);
});

function quantile(values: readonly number[], q: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0).toFixed(1);
}

/**
 * Whether the attacker has got what is coming to it. `connections`: those that the sidecar has besides the neighbour's;
 * `active`: requests that the application works on for the attacker.
 */
function isEnded(peer: RawHttp2, { ends }: Http2Attack, connections: number, active: number): boolean {
  if (connections === 0) return true;
  if ('goaway' in ends) return peer.over;
  if ('reset' in ends) return peer.over || peer.resets.has(1);
  if ('status' in ends) return peer.over || peer.heads.has(1);
  if ('released' in ends) return active === 0;
  return false;
}

function expectEnd(peer: RawHttp2, { name, ends }: Http2Attack): void {
  const seen = { name, goaway: peer.goaway, reset: peer.resets.get(1) ?? -1 };
  if ('goaway' in ends) expect(seen).toMatchObject({ name, goaway: ends.goaway });
  if ('reset' in ends) expect([seen, ends.reset.includes(seen.reset)]).toEqual([seen, true]);
  if ('status' in ends) expect(peer.heads.get(1)?.includes(Buffer.from(ends.status, 'latin1'))).toBe(true);
  if ('closed' in ends) expect(seen).toEqual({ name, goaway: -1, reset: -1 });
}

async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 20));
}

function side(entry: Entry): 'inbound' | 'outbound' {
  return entry === 'outbound' ? 'outbound' : 'inbound';
}

describe.each(ENTRIES)('by %s:', entry => {
  let application: Application;
  let victim: VictimProcess;
  let neighbour: Child<Order>;
  let first: Usage;

  beforeAll(async () => {
    application = await Application.start();
    victim = await VictimProcess.start({
      application: application.port,
      protocol: 'http2',
      limits: entry === 'mtls' ? MESH_LIMITS : '',
    });
    neighbour = new Child('./neighbour.ts');
    await neighbour.ask({ kind: 'connect', ports: victim.ports, entry });
    await neighbour.ask({ kind: 'start' });
    await new Promise(resolve => setTimeout(resolve, 500));
    expectUndisturbed(await pause());
    first = await victim.usage();
  });

  afterAll(() => {
    neighbour.stop();
    victim.stop();
    application.stop();
  });

  const pause = (): Promise<Service> => neighbour.ask({ kind: 'pause' }) as Promise<Service>;
  const others = async (): Promise<number> => (await victim.usage()).connections[side(entry)] - 1;

  async function begin(attack: Http2Attack): Promise<RawHttp2> {
    const peer = new RawHttp2(victim.ports, entry);
    if (attack.silent) {
      await eventually(async () => (await others()) > 0);
    } else {
      peer.greet(...(attack.greeting ?? []));
      await peer.roundTrip();
    }
    await attack.run(peer);
    return peer;
  }

  /** Nothing is left of an attack: neither its connection nor what the application did for it. */
  async function forgotten(): Promise<Usage> {
    await eventually(async () => (await others()) === 0);
    await eventually(() => application.active === 0);
    return victim.usage();
  }

  function expectCounted(counted: string, before: Usage, after: Usage): void {
    // A sidecar that reads no faster than its slow client stalls the other, which may be the first to lose patience.
    const sum = ({ inbound, outbound }: Usage): number => (inbound[counted] ?? 0) + (outbound[counted] ?? 0);
    if (counted !== '') expect([counted, sum(after) > sum(before)]).toEqual([counted, true]);
  }

  function expectUndisturbed({ latencies, failures }: Service): void {
    expect(failures).toEqual([]);
    expect(latencies.length).toBeGreaterThan(0);
  }

  /** The whole of an attack, by one connection after another. @returns how often, and how many octets were sent */
  async function attackFor(attack: Http2Attack, ms: number): Promise<{ times: number; sent: number }> {
    const until = performance.now() + ms;
    let times = 0;
    let sent = 0;
    do {
      const peer = await begin(attack);
      await peer.until(() => isEnded(peer, attack, 1, 1));
      sent += peer.socket.bytesWritten;
      times++;
      peer.destroy();
      expectEnd(peer, attack);
    } while (performance.now() < until);
    return { times, sent };
  }

  test.each(HTTP2_ATTACKS.filter(({ thenMs }) => thenMs === undefined))(
    '$name',
    async attack => {
      const before = await victim.usage();
      const cpuBefore = process.cpuUsage();
      await neighbour.ask({ kind: 'start' });
      const attackers = Array.from({ length: ATTACKERS }, () => attackFor(attack, SECONDS * 1000));
      const done = await Promise.all(attackers);
      const service = await pause();
      const after = await forgotten();
      const cpu = process.cpuUsage(cpuBefore);
      expectCounted(attack.counted, before, after);
      expectUndisturbed(service);
      // What Envoy calls a denial of service: a hundred times what it costs the attacker.
      expect(after.cpuMs - before.cpuMs).toBeLessThan((100 * (cpu.user + cpu.system)) / 1000);
      expect(after.maxResident - first.resident).toBeLessThan(128 * MIB);
      const { latencies } = service;
      const cells = [
        attack.name,
        entry,
        done.reduce((sum, { times }) => sum + times, 0),
        Math.round(done.reduce((sum, { sent }) => sum + sent, 0) / 1024),
        Math.round(after.cpuMs - before.cpuMs),
        ((after.resident - before.resident) / MIB).toFixed(1),
        latencies.length,
        quantile(latencies, 0.5),
        quantile(latencies, 0.99),
        quantile(latencies, 1),
      ];
      report.push(`| ${cells.join(' | ')} |`);
    },
    60_000 + SECONDS * 2000,
  );

  test.each(HTTP2_ATTACKS.filter(({ thenMs }) => thenMs !== undefined))('$name', async attack => {
    const before = await victim.usage();
    await neighbour.ask({ kind: 'start' });
    const peer = await begin(attack);
    const streams = 'released' in attack.ends ? attack.ends.released : 0;
    await eventually(() => application.active >= streams);
    // What the attacker said last may still be on its way when the clock moves for the first time.
    while (!isEnded(peer, attack, await others(), application.active)) {
      expectUndisturbed(await pause());
      await victim.advance(attack.thenMs ?? 0);
      await neighbour.ask({ kind: 'start' });
    }
    expectUndisturbed(await pause());
    expectEnd(peer, attack);
    peer.destroy();
    expectCounted(attack.counted, before, await forgotten());
  });
});
