/** Requests at an even rate, however long the answers take, each with what came of it. */
import { randomUUID } from 'node:crypto';
import { Agent, type ClientRequestArgs, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Open } from './requests.ts';

export interface SteadyCall {
  /** Where the connection goes, and the Host field. */
  readonly host: string;
  readonly method: 'GET' | 'POST';
  /** What the application waits before it answers, ms. */
  readonly delayMs: number;
  /** On a connection of its own. */
  readonly fresh: boolean;
}

export interface SteadyAnswer {
  /** 0 if there was no answer; then `error` says why. */
  readonly status: number;
  /** Code of `tulle-error`, '' without. */
  readonly error: string;
  readonly rule: string;
  readonly back: string;
  readonly pod: string;
  readonly version: string;
  /** To which the connection went, '' if there was none. */
  readonly address: string;
}

export interface SteadyOptions<T> {
  /** Requests per second; fewer while {@link MAX_OPEN} are open, as on a machine that cannot do so many. */
  readonly rate: number;
  /** The next request, and what belongs to it. */
  readonly next: () => { call: SteadyCall; of: T };
  readonly ended: (of: T, answer: SteadyAnswer) => void;
  readonly open: Open;
}

export interface Steady {
  readonly begun: number;
  /** Begins nothing more; resolves when everything is answered. */
  stop(): Promise<void>;
}

const TICK_MS = 4;
/** Longer than a sidecar waits for a connection. */
const TIMEOUT_MS = 60_000;
const CONNECTIONS = 16;
const MAX_OPEN = 128;
const POSTED = 'x'.repeat(3000);

export function startSteady<T>({ rate, next, ended, open }: SteadyOptions<T>): Steady {
  const kept = agentOf(open, true);
  const fresh = agentOf(open, false);
  const pending = new Set<Promise<void>>();
  let begun = 0;
  let dueAt = performance.now();
  const tick = (): void => {
    const now = performance.now();
    for (; dueAt < now; dueAt += 1000 / rate) {
      // What is not begun in time is left out.
      if (pending.size >= MAX_OPEN) continue;
      begun++;
      const { call, of } = next();
      const one = callOnce(call, call.fresh ? fresh : kept).then(answer => {
        pending.delete(one);
        ended(of, answer);
      });
      pending.add(one);
    }
  };
  const timer = setInterval(tick, TICK_MS);
  return {
    get begun() {
      return begun;
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
      kept.destroy();
      fresh.destroy();
    },
  };
}

/** One GET request on a connection of its own. */
export function callFresh(host: string, open: Open): Promise<SteadyAnswer> {
  return callOnce({ host, method: 'GET', delayMs: 0, fresh: true }, agentOf(open, false));
}

function agentOf(open: Open, keepAlive: boolean): Agent {
  // Without a limit on sockets: what waits for one is forgotten when a connection for it cannot be opened.
  const agent = new Agent({ keepAlive, maxFreeSockets: CONNECTIONS });
  agent.createConnection = ({ host, port }, give) => {
    open(String(host), Number(port)).then(
      socket => give?.(null, socket),
      (error: Error) => give?.(error, undefined as never),
    );
    return undefined as never;
  };
  return agent;
}

const nothing: SteadyAnswer = {
  status: 0,
  error: '',
  rule: '',
  back: '',
  pod: '',
  version: '',
  address: '',
};

/** Never rejects. */
function callOnce({ host, method, delayMs }: SteadyCall, agent: Agent): Promise<SteadyAnswer> {
  return new Promise(resolve => {
    let address = '';
    const failed = (error: Error): void => resolve({ ...nothing, error: error.message, address });
    const options: ClientRequestArgs = {
      host,
      port: 80,
      method,
      path: delayMs === 0 ? '/' : `/?delay=${delayMs}`,
      agent,
      // An application that ends may reset a kept connection at the moment at which a request is sent on it: only what may be
      // repeated is not lost by that (RFC 9110 §9.2.2).
      headers: method === 'POST' ? { 'idempotency-key': randomUUID() } : {},
    };
    const outgoing = httpRequest(options, response => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve(read(response, body, address)));
      response.on('error', failed);
    });
    // While it is connected: afterwards nobody knows.
    outgoing.on('socket', socket => {
      address = socket.remoteAddress ?? '';
    });
    const timer = setTimeout(() => outgoing.destroy(new Error('timeout')), TIMEOUT_MS);
    outgoing.on('close', () => clearTimeout(timer));
    outgoing.on('error', failed);
    outgoing.end(method === 'POST' ? POSTED : undefined);
  });
}

function read({ statusCode = 0, headers }: IncomingMessage, body: string, address: string): SteadyAnswer {
  const told = (body.startsWith('{') ? JSON.parse(body) : {}) as { pod?: string; version?: string };
  return {
    status: statusCode,
    error: String(headers['tulle-error'] ?? '').split(';')[0],
    rule: String(headers['x-rule'] ?? ''),
    back: String(headers['x-back'] ?? ''),
    pod: told.pod ?? '',
    version: told.version ?? '',
    address,
  };
}
