/** A process with a client that does nothing wrong, on a connection of its own, while others attack. */
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { serve } from './child.ts';
import { type Entry, open } from './raw-http2.ts';
import type { VictimPorts } from './victim.ts';

export type Order =
  | {
      readonly kind: 'connect';
      readonly ports: VictimPorts;
      readonly entry: Entry;
      readonly protocol: 'http' | 'http2';
    }
  /** Makes one request after another; with `perSecond` so many, whether or not those before have been answered. */
  | { readonly kind: 'start'; readonly perSecond?: number }
  /** Answers, when no request is under way, with what there was since the start. */
  | { readonly kind: 'pause' };

export interface Service {
  /** Milliseconds that each request took, from when it was due. */
  readonly latencies: readonly number[];
  readonly failures: readonly string[];
}

const PAUSE_MS = 2;

let request: () => Promise<string>;
/** The connection is gone. */
let gone = false;
let latencies: number[] = [];
let failures: string[] = [];
let stopped = true;
let running: Promise<void> = Promise.resolve();

async function run(): Promise<void> {
  do {
    await measure(performance.now());
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
  } while (!stopped && !gone);
}

/** What has to wait behind a slow answer is late as well: who asks only after each answer would not see that. */
async function runAt(perSecond: number): Promise<void> {
  const measured: Promise<void>[] = [];
  const start = performance.now();
  do {
    const due = start + (measured.length * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 0) await new Promise(resolve => setTimeout(resolve, early));
    measured.push(measure(due));
  } while (!stopped && !gone);
  await Promise.all(measured);
}

async function measure(due: number): Promise<void> {
  const failure = await request();
  latencies.push(performance.now() - due);
  if (failure !== '') failures.push(failure);
}

/** '' if the answer is the right one. */
function judge(status: number, body: string, detail: string): string {
  return status === 200 && body === 'served' ? '' : `status ${status}, ${detail}, ${body}`;
}

function overHttp2(ports: VictimPorts, entry: Entry): () => Promise<string> {
  const session: ClientHttp2Session = connect('http://a.test', {
    createConnection: () => open(ports, entry),
  });
  session.on('error', (error: Error) => failures.push(`the connection: ${error.message}`));
  session.on('close', () => {
    gone = true;
  });
  return async () => {
    const stream = session.request({ ':path': '/' });
    let status = 0;
    let body = '';
    stream.on('response', answer => {
      status = answer[':status'] ?? 0;
    });
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      body += chunk;
    });
    try {
      await once(stream, 'close');
    } catch (error) {
      return String(error);
    }
    return judge(status, body, `RST ${stream.rstCode}`);
  };
}

function overHttp1(ports: VictimPorts, entry: Entry): () => Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => open(ports, entry, 'tulle-h1');
  return () =>
    new Promise(resolve => {
      const sent = get({ agent, path: '/', headers: { host: 'a.test', 'tulle-version': '1.1' } }, answer => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          body += chunk;
        });
        answer.on('end', () => resolve(judge(answer.statusCode ?? 0, body, answer.headers.connection ?? '')));
        answer.on('error', error => resolve(String(error)));
      });
      sent.on('error', error => resolve(String(error)));
    });
}

serve<Order>(async order => {
  switch (order.kind) {
    case 'connect':
      request = (order.protocol === 'http' ? overHttp1 : overHttp2)(order.ports, order.entry);
      return;
    case 'start':
      stopped = false;
      latencies = [];
      failures = [];
      running = order.perSecond === undefined ? run() : runAt(order.perSecond);
      return;
    case 'pause':
      stopped = true;
      await running;
      return { latencies, failures } satisfies Service;
  }
});
