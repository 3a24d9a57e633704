/** Victim, application and neighbour of the tests in this folder, and what must hold of them whatever the attack. */
import { appendFileSync } from 'node:fs';
import { expect } from 'vitest';
import { ApplicationProcess } from './application-process.ts';
import { Child } from './child.ts';
import type { Order, Service } from './neighbour.ts';
import type { Entry } from './raw-http2.ts';
import type { Usage, VictimPorts } from './victim.ts';
import { VictimProcess } from './victim-process.ts';

const MIB = 1_048_576;
/** More than what the sidecars and V8 have been seen to take for any of the attacks by one attacker (50 MiB), by a margin. */
const MOST_MEMORY = 128 * MIB;

/** A long run: every attack for so long, by so many connections at once, while the neighbour makes so many requests a second. */
export const SECONDS = Number(process.env['ATTACK_SECONDS'] ?? 0);
const ATTACKERS = SECONDS === 0 ? 1 : 4;
const LONG_RATE = 50;
const RATE = SECONDS === 0 ? undefined : LONG_RATE;

export async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 5));
}

interface Attack {
  readonly name: string;
  /** Limits or protocol errors, under one of which it must be counted; none where nothing is wrong. */
  readonly counted: readonly string[];
}

export class Scene {
  readonly entry: Entry;
  readonly application: ApplicationProcess;
  readonly victim: VictimProcess;
  readonly #neighbour: Child<Order>;
  #first: Usage | null = null;

  private constructor(entry: Entry, application: ApplicationProcess, victim: VictimProcess) {
    this.entry = entry;
    this.application = application;
    this.victim = victim;
    this.#neighbour = new Child('./neighbour.ts');
  }

  /** @param limits as in TULLE_LIMITS */
  static async start(entry: Entry, protocol: 'http' | 'http2', limits: string): Promise<Scene> {
    const application = await ApplicationProcess.start(protocol);
    const victim = await VictimProcess.start({ application: application.port, protocol, limits });
    const scene = new Scene(entry, application, victim);
    await scene.#neighbour.ask({ kind: 'connect', ports: victim.ports, entry, protocol });
    await scene.startNeighbour();
    // What is compiled and allocated once should not count for the first attack.
    await new Promise(resolve => setTimeout(resolve, 300));
    scene.expectUndisturbed(await scene.pauseNeighbour());
    scene.#first = await victim.usage(true);
    return scene;
  }

  get ports(): VictimPorts {
    return this.victim.ports;
  }

  /** `perSecond`: absent: one request after the other. */
  async startNeighbour(perSecond?: number): Promise<void> {
    await this.#neighbour.ask({ kind: 'start', ...(perSecond === undefined ? {} : { perSecond }) });
  }

  /** What the neighbour has seen since it was started, when it has no request under way. */
  pauseNeighbour(): Promise<Service> {
    return this.#neighbour.ask({ kind: 'pause' }) as Promise<Service>;
  }

  /** Moves the clock of the victim on, never while a request of the neighbour is under way. */
  async passTime(ms: number): Promise<void> {
    this.expectUndisturbed(await this.pauseNeighbour());
    await this.victim.advance(ms);
    await this.startNeighbour();
  }

  /** Connections that the sidecar has at this entry, besides the neighbour's. */
  async others(): Promise<number> {
    const { inbound, outbound } = await this.victim.connections();
    return (this.entry === 'outbound' ? outbound : inbound) - 1;
  }

  /** Resolves when nothing is left of an attack: neither its connections nor what the application did for it. */
  async forgotten(): Promise<Usage> {
    await eventually(async () => (await this.others()) === 0);
    await eventually(async () => (await this.application.state()).active === 0);
    return this.victim.usage(process.env['ATTACK_REPORT'] !== undefined);
  }

  expectUndisturbed({ latencies, failures }: Service): void {
    expect(failures).toEqual([]);
    expect(latencies.length).toBeGreaterThan(0);
  }

  expectCounted(counted: readonly string[], before: Usage, after: Usage): void {
    // A sidecar that reads no faster than its slow client stalls the other, which may be the first to lose patience.
    const sum = ({ inbound, outbound }: Usage): number =>
      counted.reduce((total, name) => total + (inbound[name] ?? 0) + (outbound[name] ?? 0), 0);
    if (counted.length > 0) expect([counted, sum(after) > sum(before)]).toEqual([counted, true]);
  }

  /**
   * An attack, by every attacker one connection after another, and all that must hold after it. `attackOnce` makes the whole
   * of it on a connection, and answers how many octets it sent. `ATTACK_REPORT=FILE` adds what it cost to the file.
   */
  async withstand({ name, counted }: Attack, attackOnce: () => Promise<number>): Promise<void> {
    const before = await this.victim.usage();
    const cpuBefore = ownCpuMs();
    await this.startNeighbour(RATE);
    let times = 0;
    let sent = 0;
    const attack = async (): Promise<void> => {
      const until = performance.now() + SECONDS * 1000;
      do {
        const octets = await attackOnce();
        sent += octets;
        times++;
      } while (performance.now() < until);
    };
    await Promise.all(Array.from({ length: ATTACKERS }, attack));
    const service = await this.pauseNeighbour();
    const attackerMs = ownCpuMs() - cpuBefore;
    const after = await this.forgotten();
    this.expectCounted(counted, before, after);
    this.expectUndisturbed(service);
    const cpuMs = after.cpuMs - before.cpuMs;
    // What Envoy calls a denial of service: a hundred times what it costs the attacker.
    expect(cpuMs).toBeLessThan(100 * attackerMs);
    expect(after.maxResident - (this.#first as Usage).resident).toBeLessThan(ATTACKERS * MOST_MEMORY);
    const memory = (after.resident - before.resident) / MIB;
    this.#report(name, [times, Math.round(sent / 1024), Math.round(cpuMs), memory.toFixed(1)], service);
  }

  /** What the neighbour sees while nobody attacks, in a long run. */
  async measurePeace(): Promise<void> {
    await this.startNeighbour(RATE);
    await new Promise(resolve => setTimeout(resolve, SECONDS * 1000));
    const service = await this.pauseNeighbour();
    this.expectUndisturbed(service);
    this.#report('none', ['', '', '', ''], service);
  }

  #report(name: string, cost: readonly (string | number)[], { latencies }: Service): void {
    const file = process.env['ATTACK_REPORT'];
    if (file === undefined) return;
    const quantiles = [0.5, 0.99, 1].map(q => quantile(latencies, q).toFixed(1));
    const cells = [name, this.entry, ...cost, latencies.length, ...quantiles];
    appendFileSync(file, `| ${cells.join(' | ')} |\n`);
  }

  stop(): void {
    this.#neighbour.stop();
    this.victim.stop();
    this.application.stop();
  }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

/** Milliseconds of CPU that this process has used. */
function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
