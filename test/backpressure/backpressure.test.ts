/**
 * Fast senders and readers that stop, through two real sidecar processes: what the sidecars hold and what memory they need is
 * bounded by their windows, and every byte arrives in its place. TULLE_BACKPRESSURE_MIB sets how much each transfer offers:
 *
 *     TULLE_BACKPRESSURE_MIB=2048 npx vitest run test/backpressure
 */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { privateMemory } from '../../bench/process.ts';
import { UNTRUSTED_LIMITS } from '../../proxy/http2/limits.ts';
import { SHARED_HIGH_WATER } from '../../proxy/transport/socket-transport.ts';
import { type Pod, type SidecarPods, startSidecarPods } from '../integration/sidecar-pods.ts';
import { BLOCK_BYTES, CountedSink, CountedSource } from './counted.ts';
import { Applications, type Client, type End, http1Client, http2Client, tcpClient } from './ends.ts';
import { kernelBytes } from './kernel-bytes.ts';

const MIB = 1_048_576;
/** What each transfer takes besides what is under way when its reader stops. */
const OFFERED_BYTES = Number(process.env['TULLE_BACKPRESSURE_MIB'] ?? 32) * MIB;
const TIMEOUT_MS = 60_000 + OFFERED_BYTES / 20_000;
const READ_BYTES = 65_536;
/** What a sidecar may hold of a stream that moved: its window, a read, and what it is short of being written. */
const STREAM_BYTES = UNTRUSTED_LIMITS.maxStreamWindowBytes + 2 * READ_BYTES;
/** And of one that stands still from the start. */
const STANDING_BYTES = UNTRUSTED_LIMITS.streamWindowBytes + 2 * READ_BYTES;
/** What it holds for all streams of a connection together. */
const SHARED_BYTES = SHARED_HIGH_WATER + 2 * READ_BYTES;
/** In the process of the test, for each transfer: a block each in the source, the sink, and the sockets or streams of Node. */
const OWN_BYTES = 4 * BLOCK_BYTES;
/** Of a sidecar: space that outputs and blocks keep for reuse (output.ts, block-pool.ts: 11 MiB), code, uncollected garbage. */
const SLACK_BYTES = 48 * MIB;

let pods: SidecarPods;
let client: Pod;
let server: Pod;
const applications = new Applications();
const applicationPorts: number[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  const [http1, http2, tcp] = await Promise.all([
    applications.http1(),
    applications.http2(),
    applications.tcp(),
  ]);
  applicationPorts.push(http1.port, http2.port, tcp.port);
  pods = await startSidecarPods([
    { name: 'http1', port: 8080, protocol: 'http', application: http1.port },
    { name: 'http2', port: 8081, protocol: 'kubernetes.io/h2c', application: http2.port },
    { name: 'tcp', port: 8082, protocol: 'tcp', application: tcp.port },
  ]);
  [server, client] = await Promise.all([pods.server(), pods.client()]);
}, 120_000);
afterAll(async () => {
  applications.close();
  await pods?.stop();
});
afterEach(() => {
  for (const open of clients.splice(0)) open.close();
});

const makers = { 'HTTP/1.1': http1Client, 'HTTP/2': http2Client, TCP: tcpClient };

function clientOf(protocol: keyof typeof makers, port: string): Client {
  const made = makers[protocol](pods.callAt(client, port));
  clients.push(made);
  return made;
}

/** Bytes of private memory of the two sidecars together. */
function memory(): number {
  const pids = [client, server].map(({ sidecar }) => sidecar.process.pid ?? 0);
  return pids.reduce((sum, pid) => sum + privateMemory(pid) * MIB, 0);
}

/** Resolves when the number has grown and then not changed for a while: whoever makes it grow is blocked. */
async function settled(read: () => number): Promise<void> {
  for (let same = 0, last = 0; same < 4; ) {
    await new Promise(resolve => setTimeout(resolve, 100));
    const now = read();
    same = now > 0 && now === last ? same + 1 : 0;
    last = now;
  }
}

/** Counted content on its way from one end to the other. */
class Transfer {
  readonly source: CountedSource;
  readonly sink: CountedSink;
  /** The other end has all, and the sender knows it. */
  readonly done: Promise<unknown>;

  private constructor(source: CountedSource, sink: CountedSink, done: Promise<unknown>) {
    this.source = source;
    this.sink = sink;
    this.done = done;
    done.catch(() => {});
  }

  /** `request`: from the client to the application; `response`: back. */
  static begin(from: Client, direction: Direction, path = '/'): Transfer {
    const source = new CountedSource();
    const sink = new CountedSink();
    served.set(path, direction === 'request' ? end => receive(end, sink) : end => send(end, source));
    const { input, output } = from.open(path);
    if (direction === 'request') source.pipe(output);
    else output.end();
    const done: Promise<unknown> = input.then(
      (answer): Promise<unknown> => (direction === 'request' ? drained(answer) : all(answer, sink)),
    );
    return new Transfer(source, sink, done);
  }

  /** Ends the offer, takes all of it, and resolves when everybody knows. */
  async finish(): Promise<void> {
    this.source.finish();
    this.sink.go();
    await this.done;
    expect(this.sink.received).toBe(this.source.offered);
  }

  /** Takes this many more bytes, and waits until nothing more is taken from the sender. */
  async take(bytes: number): Promise<void> {
    if (bytes > 0) {
      const stopped = once(this.sink, 'stopped');
      this.sink.go(this.sink.received + bytes);
      await Promise.race([stopped, this.done]);
    }
    await settled(() => this.source.offered);
  }

  /** What is between the two ends and not in the kernel, which the caller knows for all transfers. */
  get underWay(): number {
    return this.source.offered - this.sink.received;
  }
}

type Direction = 'request' | 'response';

/** What the application does with the next request for a path. */
const served = new Map<string, (end: End) => void>();
applications.serve = (end, path) => (served.get(path === '' ? '/' : path) ?? echo)(end);

function echo({ input, output }: End): void {
  input.pipe(output);
}

function receive({ input, output }: End, sink: CountedSink): void {
  input.pipe(sink);
  sink.once('finish', () => output.end('all'));
}

function send({ input, output }: End, source: CountedSource): void {
  input.resume();
  source.pipe(output);
}

async function all(input: Readable, sink: CountedSink): Promise<unknown> {
  input.pipe(sink);
  return Promise.all([finished(input, { writable: false }), finished(sink)]);
}

async function drained(input: Readable): Promise<string> {
  let text = '';
  for await (const chunk of input) text += chunk;
  return text;
}

const ways = [
  { name: 'HTTP/1.1', from: 'HTTP/1.1', to: 'http1' },
  { name: 'HTTP/2', from: 'HTTP/2', to: 'http2' },
  { name: 'HTTP/1.1 to HTTP/2', from: 'HTTP/1.1', to: 'http2' },
  { name: 'opaque TCP', from: 'TCP', to: 'tcp' },
] as const;

describe.each(ways)('$name', ({ name, from, to }) => {
  test.each(['request', 'response'] as const)(
    'a reader that stops bounds what the sidecars hold of a %s, and gets all of it',
    async direction => {
      const warm = Transfer.begin(clientOf(from, to), direction);
      await warm.take(8 * MIB);
      await warm.finish();
      const before = memory();
      const transfer = Transfer.begin(clientOf(from, to), direction);
      for (const taken of [0, OFFERED_BYTES]) {
        await transfer.take(taken);
        const held = transfer.underWay - kernelBytes(pods.network, applicationPorts);
        const grown = memory() - before;
        report(`${name}, ${direction}`, { offered: transfer.source.offered, held, grown });
        expect(held).toBeLessThan(2 * (STREAM_BYTES + SHARED_BYTES) + OWN_BYTES);
        expect(grown).toBeLessThan(2 * (STREAM_BYTES + SHARED_BYTES + SLACK_BYTES));
      }
      await transfer.finish();
    },
    TIMEOUT_MS,
  );
});

/** The kernel holds up to ten megabytes for a connection, so that its stream has moved before it stands still. */
const crowds = [
  { name: 'of one HTTP/2 connection', from: 'HTTP/2', to: 'http2', streams: 100, each: STANDING_BYTES },
  {
    name: 'that share the connection between sidecars',
    from: 'HTTP/1.1',
    to: 'http1',
    streams: 20,
    each: STREAM_BYTES,
  },
] as const;

describe.each(crowds)('$streams streams $name', ({ name, from, to, streams, each }) => {
  test.each(['request', 'response'] as const)(
    'that stand still do not keep another from being served: %s',
    async direction => {
      const calls = clientOf(from, to);
      await roundTrip(calls);
      const before = memory();
      const transfers = Array.from({ length: streams }, (_, i) =>
        Transfer.begin(calls, direction, `/standing/${i}`),
      );
      const sum = (read: (transfer: Transfer) => number): number =>
        transfers.reduce((total, transfer) => total + read(transfer), 0);
      await settled(() => sum(({ source }) => source.offered));
      const held = sum(({ underWay }) => underWay) - kernelBytes(pods.network, applicationPorts);
      const grown = memory() - before;
      const offered = sum(({ source }) => source.offered);
      report(`${streams} streams ${name}, ${direction}`, { offered, held, grown });
      expect(held).toBeLessThan(2 * (streams * each + SHARED_BYTES) + streams * OWN_BYTES);
      expect(grown).toBeLessThan(2 * (streams * each + SHARED_BYTES + SLACK_BYTES));
      const live = Transfer.begin(calls, direction, '/live');
      await live.take(OFFERED_BYTES / 8);
      await live.finish();
      for (let i = 0; i < 20; i++) await roundTrip(calls);
      await Promise.all(transfers.map(transfer => transfer.finish()));
    },
    TIMEOUT_MS,
  );
});

async function roundTrip(calls: Client): Promise<void> {
  const { input, output } = calls.open('/echo');
  output.end('ping');
  expect(await drained(await input)).toBe('ping');
}

function report(what: string, numbers: Record<string, number>): void {
  const parts = Object.entries(numbers).map(([name, bytes]) => `${name} ${(bytes / MIB).toFixed(2)} MiB`);
  process.stdout.write(`${what}: ${parts.join(', ')}\n`);
}
