/** A process with a client that does nothing wrong, on a connection of its own, while others attack. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { serve } from './child.ts';
import { type Entry, open } from './raw-http2.ts';
import type { VictimPorts } from './victim.ts';

export type Order =
  | { readonly kind: 'connect'; readonly ports: VictimPorts; readonly entry: Entry }
  /** Makes one request after another. */
  | { readonly kind: 'start' }
  /** Answers, when no request is under way, with what there was since the start. */
  | { readonly kind: 'pause' };

export interface Service {
  /** Milliseconds that each request took. */
  readonly latencies: readonly number[];
  readonly failures: readonly string[];
}

const PAUSE_MS = 2;

let session: ClientHttp2Session;
let latencies: number[] = [];
let failures: string[] = [];
let stopped = true;
let running: Promise<void> = Promise.resolve();

async function run(): Promise<void> {
  do {
    const begun = performance.now();
    const failure = await request();
    latencies.push(performance.now() - begun);
    if (failure !== '') failures.push(failure);
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
  } while (!stopped && !session.destroyed);
}

async function request(): Promise<string> {
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
  return status === 200 && body === 'served' ? '' : `status ${status}, RST ${stream.rstCode}, ${body}`;
}

serve<Order>(async order => {
  switch (order.kind) {
    case 'connect':
      session = connect('http://a.test', { createConnection: () => open(order.ports, order.entry) });
      session.on('error', (error: Error) => failures.push(`the connection: ${error.message}`));
      return;
    case 'start':
      stopped = false;
      latencies = [];
      failures = [];
      running = run();
      return;
    case 'pause':
      stopped = true;
      await running;
      return { latencies, failures } satisfies Service;
  }
});
