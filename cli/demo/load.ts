/** The load generator: constant rates through the sidecar of its own pod, with every outcome counted. */
import { Agent, request } from 'node:http';

export interface Target {
  /** Name of the stream, for the screen and the script. */
  name: string;
  /** URL in the mesh. */
  url: string;
  /** Requests per second. */
  rate: number;
}

export interface Tally {
  sent: number;
  /** Answers by status; 0 counts connections that failed. */
  statuses: Map<number, number>;
  /** Answers by `version` of the body. */
  versions: Map<string, number>;
  /** Identity of the caller as the service saw it. */
  callers: Set<string>;
  /** Milliseconds of the newest answers. */
  latencies: number[];
  /** Sentences of the `tulle-error` header and of failed connections, by how often. */
  errors: Map<string, number>;
}

export function emptyTally(): Tally {
  return {
    sent: 0,
    statuses: new Map(),
    versions: new Map(),
    callers: new Set(),
    latencies: [],
    errors: new Map(),
  };
}

export function failed(tally: Tally): number {
  let count = 0;
  for (const [status, answers] of tally.statuses) if (status === 0 || status >= 500) count += answers;
  return count;
}

export function answered(tally: Tally): number {
  let count = 0;
  for (const answers of tally.statuses.values()) count += answers;
  return count;
}

const TICK_MS = 10;
const KEPT_LATENCIES = 2000;
const TIMEOUT_MS = 15_000;

function count<K>(map: Map<K, number>, name: K): void {
  map.set(name, (map.get(name) ?? 0) + 1);
}

export class Load {
  readonly tallies = new Map<string, Tally>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #proxy: { host: string; port: number };
  readonly #targets: Target[];
  #timer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #idle: (() => void) | null = null;

  constructor(proxy: { host: string; port: number }, targets: Target[]) {
    this.#proxy = proxy;
    this.#targets = targets;
    this.reset();
  }

  /** Starts counting anew. */
  reset(): void {
    for (const target of this.#targets) this.tallies.set(target.name, emptyTally());
  }

  start(): void {
    let last = performance.now();
    const due = new Map<string, number>();
    this.#timer = setInterval(() => {
      const now = performance.now();
      // Time that the machine stole is not made up for: a burst would measure the machine and not the mesh.
      const elapsed = Math.min(now - last, 200);
      last = now;
      for (const target of this.#targets) {
        let wanted = (due.get(target.name) ?? 0) + (target.rate * elapsed) / 1000;
        for (; wanted >= 1; wanted--) void this.send(target);
        due.set(target.name, wanted);
      }
    }, TICK_MS);
  }

  /** Stops sending and waits for the last answer. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#inFlight > 0) await new Promise<void>(resolve => (this.#idle = resolve));
  }

  /** One request, counted under its target; resolves when the answer is complete. */
  send(target: Target): Promise<void> {
    const tally = this.tallies.get(target.name) ?? emptyTally();
    tally.sent++;
    this.#inFlight++;
    const started = performance.now();
    return new Promise(resolve => {
      let settled = false;
      const settle = (status: number, error: string): void => {
        if (settled) return;
        settled = true;
        count(tally.statuses, status);
        if (error !== '') count(tally.errors, error);
        tally.latencies.push(performance.now() - started);
        if (tally.latencies.length > KEPT_LATENCIES) tally.latencies.splice(0, KEPT_LATENCIES / 2);
        if (--this.#inFlight === 0) this.#idle?.();
        resolve();
      };
      const { host, port } = this.#proxy;
      const outgoing = request(
        {
          host,
          port,
          path: target.url,
          headers: { host: new URL(target.url).host },
          agent: this.#agent,
          timeout: TIMEOUT_MS,
        },
        response => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            text += part;
          });
          response.on('end', () => {
            const error = response.headers['tulle-error'];
            if (response.statusCode === 200) this.#read(tally, text);
            settle(response.statusCode ?? 0, typeof error === 'string' ? error : '');
          });
          response.on('error', error => settle(0, error.message));
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      outgoing.on('error', error => settle(0, error.message));
      outgoing.end();
    });
  }

  #read(tally: Tally, text: string): void {
    const body = JSON.parse(text) as { version?: string; caller?: string };
    if (body.version !== undefined) count(tally.versions, body.version);
    if (body.caller !== undefined) tally.callers.add(body.caller);
  }
}

/** Value below which the given share of the latencies lies, in milliseconds. */
export function quantile(latencies: readonly number[], share: number): number {
  if (latencies.length === 0) return Number.NaN;
  const sorted = Float64Array.from(latencies).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
