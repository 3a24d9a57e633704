/**
 * Random connections into both ends of the HTTP/2 codec. Properties: nothing throws; what is sent back is whole frames;
 * the outcome does not depend on how the bytes are cut; every request that was delivered is ended or reset; and every
 * request that we accept is one for nghttp2 too, with the same fields and body.
 *
 * `FUZZ_CASES` sets the number of cases of each test (default 5000; a fifth of it against nghttp2), `FUZZ_SEED` the seed.
 */
import { once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { RecordedRequest } from '../../proxy/http1/testing/recording-handler.ts';
import { RecordedResponse } from '../../proxy/http1/testing/recording-response.ts';
import { CLIENT_PREFACE } from '../../proxy/http2/frame.ts';
import { ClientUnderTest, ServerUnderTest } from '../../proxy/http2/testing/peers.ts';
import { frame } from '../../proxy/http2/testing/wire.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { Random } from './http1/random.ts';
import { damaged } from './http2/corpus.ts';

const CASES = Number(process.env['FUZZ_CASES'] ?? 5000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
const BATCH = 50;
const LIMIT_MS = 60_000 + CASES * 5;
const HEAD = {
  method: 'GET',
  scheme: 'http',
  authority: 'a',
  path: '/',
  upgrade: '',
  version: 20,
  fields: [],
} as const;

/** One for all, as in the proxy: what one connection leaves there must not matter to the next. */
const workspace = new Http2Workspace();

/** Feeds bytes in pieces of random length; whole with null. */
function feed(receive: (bytes: Buffer) => void, bytes: Buffer, random: Random | null): void {
  if (random === null) {
    receive(bytes);
    return;
  }
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(40);
    // A copy, which is overwritten afterwards: short pieces are only lent.
    const piece = Buffer.from(bytes.subarray(at, end));
    receive(piece);
    piece.fill(0xee);
    at = end;
  }
}

/** A body that is not complete depends on how it came. */
function outcome({ head, body, ended, trailers, reset }: RecordedRequest): unknown {
  return { head, body: ended ? body : '', ended, trailers, reset };
}

function outcomeOf({ head, body, ended, trailers, reset }: RecordedResponse): unknown {
  return { head, body: ended ? body : '', ended, trailers, reset };
}

function serve(bytes: Buffer, random: Random | null) {
  const server = new ServerUnderTest({}, {}, true, workspace);
  let beforeFault = Infinity;
  server.observer.onFault = () => {
    beforeFault = Math.min(beforeFault, server.handler.requests.length);
  };
  feed(piece => server.receive(piece), bytes, random);
  const error = server.errorOf(7);
  const { requests } = server.handler;
  const seen = requests.map(outcome);
  server.connection.closed('connection-closed');
  for (const request of requests) {
    if (request.reset === null) throw new Error('a request was forgotten when its connection closed');
  }
  return { seen, error, requests, beforeFault };
}

test(`${CASES} damaged connections to the server`, { timeout: LIMIT_MS }, () => {
  for (let i = 0; i < CASES; i++) {
    const random = new Random(SEED + i);
    const bytes = damaged(random);
    const whole = serve(bytes, null);
    const cut = serve(bytes, random);
    if (!isDeepStrictEqual([whole.seen, whole.error], [cut.seen, cut.error])) {
      expect({ seed: SEED + i, ...cut, requests: null }).toEqual({
        seed: SEED + i,
        ...whole,
        requests: null,
      });
    }
  }
});

test(`${CASES} damaged connections to the client`, { timeout: LIMIT_MS }, () => {
  for (let i = 0; i < CASES; i++) {
    const random = new Random(SEED + i);
    const bytes = damaged(random);
    // What a client sends is what a server may send if the fields are those of a response.
    bytes.set(Buffer.from([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]).subarray(0, bytes.length), 0);
    const outcomes = [null, random].map(cutter => {
      const client = new ClientUnderTest({}, [], workspace);
      const responses = [1, 3, 5].map(() => {
        const response = new RecordedResponse();
        response.stream = client.connection.open({ ...HEAD, fields: [], contentLength: 0 }, true, response);
        return response;
      });
      client.transport.turn();
      feed(piece => client.receive(piece), bytes, cutter);
      const error = client.errorOf(7);
      client.connection.closed('connection-closed');
      for (const response of responses) {
        if (response.reset === null && !response.ended && response.trailers === null) {
          throw new Error(`a response was forgotten when its connection closed (seed ${SEED + i})`);
        }
      }
      return [error, responses.map(outcomeOf)];
    });
    if (!isDeepStrictEqual(outcomes[1], outcomes[0])) {
      expect({ seed: SEED + i, outcome: outcomes[1] }).toEqual({ seed: SEED + i, outcome: outcomes[0] });
    }
  }
});

test(`${CASES} random buffers behind a valid preface`, { timeout: LIMIT_MS }, () => {
  for (let i = 0; i < CASES; i++) {
    const random = new Random(SEED + i);
    const bytes = Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));
    serve(bytes, null);
  }
});

/** How a GOAWAY without text begins: the end, of which Node makes a pause if streams are open. */
const GOAWAY = frame(7, 0, 0, Buffer.alloc(8)).subarray(0, 9);
const SENTINEL = Buffer.alloc(8, 0xff);
/**
 * Its answer shows that everything before it has been seen. If the frames before it are out of step, one of so many
 * falls to where a frame begins, or is an error, which closes the connection.
 */
const LEAD_OUT = Buffer.concat(Array.from({ length: 1100 }, () => frame(6, 0, 0, SENTINEL)));

interface NodeRequest {
  raw: string[];
  body: string;
  ended: boolean;
}

/** What nghttp2 makes of the same bytes. */
class NodeSide {
  readonly #server: Http2Server = createServer();
  readonly #byPort = new Map<number, Map<number, NodeRequest>>();

  async start(): Promise<void> {
    this.#server.on('session', session => {
      this.#byPort.set(session.socket.remotePort ?? 0, new Map());
      session.on('error', () => {});
    });
    this.#server.on('sessionError', () => {});
    this.#server.on('stream', (stream, _headers, _flags, rawHeaders) => {
      const request: NodeRequest = { raw: rawHeaders as unknown as string[], body: '', ended: false };
      this.#byPort.get(stream.session?.socket.remotePort ?? 0)?.set(stream.id ?? 0, request);
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => {
        request.body += chunk.toString('latin1');
      });
      stream.on('end', () => {
        request.ended = true;
      });
    });
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async parse(bytes: Buffer): Promise<Map<number, NodeRequest>> {
    const socket = connect((this.#server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    const { localPort } = socket;
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes(SENTINEL) || chunk.includes(GOAWAY)) socket.destroy();
    });
    socket.write(Buffer.concat([CLIENT_PREFACE, frame(4, 0, 0), bytes, LEAD_OUT]));
    await once(socket, 'close');
    const seen = this.#byPort.get(localPort ?? 0) ?? new Map<number, NodeRequest>();
    this.#byPort.delete(localPort ?? 0);
    return seen;
  }

  close(): void {
    this.#server.close();
  }
}

/** Node's raw fields in the form that the contract gives them. */
function contractForm(raw: string[]): string[] {
  const fields: string[] = [];
  let cookieAt = -1;
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i], raw[i + 1]];
    if (name.startsWith(':') || name === 'host' || name === 'content-length' || name === 'http2-settings')
      continue;
    if (name === 'cookie' && cookieAt >= 0) fields[cookieAt] += `; ${value}`;
    else if (name === 'cookie') cookieAt = fields.push(name, value) - 1;
    else fields.push(name, value);
  }
  return fields;
}

function differs(ours: RecordedRequest, theirs: NodeRequest | undefined): string {
  if (theirs === undefined) return 'nghttp2 does not accept it';
  const { head } = ours;
  const pseudo = (name: string): string => theirs.raw[theirs.raw.indexOf(name) + 1];
  if (pseudo(':method') !== head.method) return ':method';
  if (head.path !== '' && pseudo(':path') !== head.path) return ':path';
  if (!isDeepStrictEqual(contractForm(theirs.raw), head.fields))
    return `fields ${JSON.stringify(contractForm(theirs.raw))}`;
  if (ours.ended && theirs.ended && ours.body !== theirs.body) return `body ${JSON.stringify(theirs.body)}`;
  return '';
}

/** nghttp2 serves nothing more to a client that has said GOAWAY, which is up to it. */
function saysGoaway(bytes: Buffer): boolean {
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3))
    if (bytes[at + 3] === 7) return true;
  return false;
}

const DIFFERENTIAL = Math.ceil(CASES / 5);

test(`${DIFFERENTIAL} damaged connections: what we accept, nghttp2 accepts`, {
  timeout: LIMIT_MS,
}, async () => {
  const node = new NodeSide();
  await node.start();
  for (let start = 0; start < DIFFERENTIAL; start += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, DIFFERENTIAL - start) }, (_, i) => SEED + start + i);
    const cases = seeds.map(seed => damaged(new Random(seed)));
    const theirs = await Promise.all(cases.map(bytes => node.parse(bytes)));
    cases.forEach((bytes, i) => {
      if (saysGoaway(bytes)) return;
      // nghttp2 ends the connection for some errors that concern one stream (RFC 9113 §8.1.1).
      const { requests, beforeFault } = serve(bytes, null);
      for (const request of requests.slice(0, beforeFault)) {
        const { id } = request.stream as unknown as { id: number };
        const difference = differs(request, theirs[i].get(id));
        if (difference !== '') {
          expect({
            seed: seeds[i],
            difference,
            request: outcome(request),
            bytes: bytes.toString('hex'),
          }).toBeNull();
        }
      }
    });
  }
  node.close();
});
