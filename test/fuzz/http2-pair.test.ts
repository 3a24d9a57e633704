/**
 * Both ends of the codec talk to each other through pipes that cut, delay and stop at random, with small windows, slow
 * readers, trailers and resets. Properties: every body arrives octet for octet, every stream ends, nothing waits for
 * ever, neither end finds a fault in the other.
 *
 * `FUZZ_CASES` sets the number of conversations (default 5000, of which this takes 4 %), `FUZZ_SEED` the seed.
 */
import { expect, test } from 'vitest';
import type {
  FieldLines,
  RequestHead,
  RequestReceiver,
  ResetReason,
  ResponseHead,
  ResponseReceiver,
  ServerStream,
} from '../../proxy/exchange/stream.ts';
import { RecordingOwner } from '../../proxy/http1/testing/recording-response.ts';
import { RecordingTransport } from '../../proxy/http1/testing/recording-transport.ts';
import { Http2ClientConnection } from '../../proxy/http2/client-connection.ts';
import { HeaderBlock } from '../../proxy/http2/header-block.ts';
import { HpackDecoder } from '../../proxy/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts';
import { type Http2Limits, UNTRUSTED_LIMITS } from '../../proxy/http2/limits.ts';
import { Http2ServerConnection } from '../../proxy/http2/server-connection.ts';
import { RecordedObserver } from '../../proxy/http2/testing/peers.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { FlushQueue, Output } from '../../proxy/transport/output.ts';
import { Random } from './http1/random.ts';

const CASES = Math.ceil(Number(process.env['FUZZ_CASES'] ?? 5000) / 25);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
const LIMIT_MS = 60_000 + CASES * 100;
const MOST_STEPS = 200_000;
const NEVER = 1_000_000_000;

/** Octet `at` of a body: differs along the body and between bodies. */
function octet(body: number, at: number): number {
  return (at * 31 + (at >>> 8) * 7 + body) & 0xff;
}

/** One direction of one stream: what is to be sent, and what has arrived. */
class Body {
  readonly id: number;
  readonly length: number;
  readonly withTrailers: boolean;
  sent = 0;
  received = 0;
  /** Received and not consumed. */
  held = 0;
  blocked = false;
  ended = false;
  arrived = false;

  constructor(id: number, random: Random) {
    this.id = id;
    this.length = random.below(4) === 0 ? 0 : random.below(200_000);
    this.withTrailers = random.below(3) === 0;
  }

  /** Sends the next piece. */
  send(stream: Pick<ServerStream, 'data' | 'trailers'>, random: Random): void {
    const size = Math.min(this.length - this.sent, 1 + random.below(random.below(2) === 0 ? 100 : 70_000));
    const chunk = Buffer.alloc(size);
    for (let i = 0; i < size; i++) chunk[i] = octet(this.id, this.sent + i);
    this.sent += size;
    this.ended = this.sent === this.length;
    this.blocked = !stream.data(chunk, this.ended && !this.withTrailers) && !this.ended;
    // A chunk is only lent.
    chunk.fill(0xee);
    if (this.ended && this.withTrailers) stream.trailers(['x-end', String(this.length)]);
  }

  receive(chunk: Buffer, end: boolean): void {
    for (let i = 0; i < chunk.length; i++) {
      if (chunk[i] !== octet(this.id, this.received + i))
        throw new Error(`octet ${this.received + i} is wrong`);
    }
    this.received += chunk.length;
    this.held += chunk.length;
    if (end) this.finish();
  }

  finish(): void {
    if (this.received !== this.length) throw new Error(`${this.received} octets of ${this.length} arrived`);
    this.arrived = true;
  }
}

class Conversation implements RequestReceiver, ResponseReceiver {
  readonly request: Body;
  readonly response: Body;
  server: ServerStream | null = null;
  client: ReturnType<Http2ClientConnection['open']> | null = null;
  resets: ResetReason[] = [];
  /** One of the ends gave up; only that everything ends matters then. */
  abandoned = false;

  constructor(id: number, random: Random) {
    this.request = new Body(id, random);
    this.response = new Body(id + 1, random);
  }

  get done(): boolean {
    return this.abandoned || (this.request.arrived && this.response.arrived);
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    this.request.receive(chunk, end);
  }
  onRequestTrailers(fields: FieldLines): void {
    expect(fields).toEqual(['x-end', String(this.request.length)]);
    this.request.finish();
  }
  onRequestReset(reason: ResetReason): void {
    this.#reset(reason);
  }
  onCutOff(): void {}

  onWritable(): void {
    this.response.blocked = false;
  }
  onResponseSent(): void {}

  onInformational(): void {}
  onResponse(_head: ResponseHead, end: boolean): void {
    if (end) this.response.finish();
  }
  onResponseData(chunk: Buffer, end: boolean): void {
    this.response.receive(chunk, end);
  }
  onResponseTrailers(fields: FieldLines): void {
    expect(fields).toEqual(['x-end', String(this.response.length)]);
    this.response.finish();
  }
  onResponseReset(reason: ResetReason): void {
    this.#reset(reason);
  }
  onRequestWritable(): void {
    this.request.blocked = false;
  }

  #reset(reason: ResetReason): void {
    this.resets.push(reason);
    if (!this.abandoned) throw new Error(`reset for ${reason}, which nobody wanted`);
  }
}

/** Bytes under way in one direction. */
class Wire {
  readonly transport = new RecordingTransport();
  #waiting: Buffer = Buffer.alloc(0);

  deliver(to: { receive(bytes: Buffer): void }, random: Random): boolean {
    this.#waiting = Buffer.concat([this.#waiting, Buffer.from(this.transport.takeText(), 'latin1')]);
    if (this.#waiting.length === 0) return false;
    const size = random.below(4) === 0 ? 1 + random.below(20) : 1 + random.below(100_000);
    const bytes = this.#waiting.subarray(0, size);
    this.#waiting = this.#waiting.subarray(size);
    to.receive(Buffer.from(bytes));
    return true;
  }
}

function limits(random: Random): Http2Limits {
  return {
    ...UNTRUSTED_LIMITS,
    windowUpdates: NEVER,
    streamWindowBytes: random.pick([1000, 65_535, 262_144]),
    connectionWindowBytes: random.pick([65_535, 100_000, 1_000_000]),
    maxFrameBytes: random.pick([16_384, 65_536]),
  };
}

function converse(seed: number): void {
  const random = new Random(seed);
  const workspace = new Http2Workspace();
  const [up, down] = [new Wire(), new Wire()];
  const observer = new RecordedObserver();
  const base = { workspace, observer, clock: () => 0 };
  const conversations = Array.from(
    { length: 1 + random.below(8) },
    (_, i) => new Conversation(i * 2, random),
  );
  const server = new Http2ServerConnection({
    ...base,
    limits: limits(random),
    transport: down.transport,
    context: null,
    scheme: 'http',
    handler: {
      onRequest(stream, head, end) {
        const conversation = conversations[Number(head.path.slice(1))];
        conversation.server = stream;
        stream.receiver = conversation;
        if (end) conversation.request.finish();
      },
    },
  });
  const client = new Http2ClientConnection({
    ...base,
    limits: limits(random),
    transport: up.transport,
    owner: new RecordingOwner(),
  });
  const act = (conversation: Conversation): void => {
    const { request, response } = conversation;
    switch (random.below(8)) {
      case 0:
        conversation.client ??= client.open(
          requestHead(conversations.indexOf(conversation)),
          false,
          conversation,
        );
        return;
      case 1:
      case 2:
        if (conversation.client !== null && !request.ended && !request.blocked)
          request.send(conversation.client, random);
        return;
      case 3:
      case 4:
        if (conversation.server === null || response.ended || response.blocked) return;
        if (response.sent === 0)
          conversation.server.respond({ status: 200, fields: [], contentLength: -1 }, false);
        // A response that ends before its request would end the request too.
        if (request.arrived || response.length - response.sent > 100_000)
          response.send(conversation.server, random);
        return;
      case 5:
        conversation.server?.consumed(request.held);
        request.held = 0;
        return;
      case 6:
        conversation.client?.consumed(response.held);
        response.held = 0;
        return;
      default:
        if (random.below(2000) > 0 || conversation.client === null) return;
        conversation.abandoned = true;
        if (random.below(2) === 0) conversation.client.reset('cancelled');
        else conversation.server?.reset('internal-error');
    }
  };
  let steps = 0;
  while (!conversations.every(conversation => conversation.done)) {
    if (++steps > MOST_STEPS)
      throw new Error(`nothing moves any more (seed ${seed}): ${observer.faults.join()}`);
    const kind = random.below(4);
    if (kind === 0) up.deliver(server, random);
    else if (kind === 1) down.deliver(client, random);
    else act(random.pick(conversations));
  }
  let moved = true;
  while (moved) {
    const [there, back] = [up.deliver(server, random), down.deliver(client, random)];
    moved = there || back;
  }
  expect({ seed, faults: observer.faults }).toEqual({ seed, faults: [] });
}

function requestHead(index: number): RequestHead {
  const base = { method: 'POST', scheme: 'http', authority: 'a.test', upgrade: '', version: 20 } as const;
  return { ...base, path: `/${index}`, fields: [], contentLength: -1 };
}

test(`${CASES} conversations`, { timeout: LIMIT_MS }, () => {
  for (let i = 0; i < CASES; i++) converse(SEED + i);
});

test(`${CASES} header lists through one encoder and one decoder, whose table changes its size`, {
  timeout: LIMIT_MS,
}, () => {
  const random = new Random(SEED);
  const workspace = new Http2Workspace();
  const output = new Output({ write: () => 0 }, new FlushQueue());
  const encoder = new HpackEncoder(output, workspace.sensitive, 16_384);
  const decoder = new HpackDecoder(workspace.strings, 16_384);
  const block = new HeaderBlock(workspace.sensitive);
  const char = (): string =>
    String.fromCharCode(random.below(10) === 0 ? 0x80 + random.below(128) : 0x21 + random.below(94));
  const text = (most: number): string => Array.from({ length: random.below(most) }, char).join('');
  const names = Array.from({ length: 50 }, (_, i) => `x-${i}-${'n'.repeat(random.below(30))}`);
  const values = Array.from({ length: 100 }, () => text(random.below(20) === 0 ? 3000 : 40));
  for (let i = 0; i < CASES * 20; i++) {
    if (random.below(50) === 0) encoder.limitTable(random.pick([0, 100, 4096, 16_384, 1_000_000]));
    if (random.below(500) === 0) workspace.sensitive.add(random.pick(names));
    const list: string[] = [];
    for (let fields = random.below(12); fields > 0; fields--) {
      list.push(random.pick(names), random.below(3) === 0 ? text(60) : random.pick(values));
    }
    output.end = 0;
    encoder.begin(list.length / 2);
    encoder.fields(list);
    block.begin(1_000_000, 1000, 1_000_000);
    expect(decoder.decode(output.bytes, 0, output.end, block)).toBe('');
    if (block.fields.length !== list.length || block.fields.some((field, at) => field !== list[at])) {
      expect({ round: i, fields: block.fields }).toEqual({ round: i, fields: list });
    }
  }
});
