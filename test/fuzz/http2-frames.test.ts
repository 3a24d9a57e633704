/**
 * Random connections into both ends of the HTTP/2 codec. Properties: nothing throws; what is sent back is whole frames;
 * the outcome does not depend on how the bytes are cut; every request that was delivered is ended or reset; and every
 * request that we accept is one for nghttp2 too, with the same fields and body.
 *
 * `FUZZ_CASES` sets the number of cases of each test (default 5000; a fifth of it against nghttp2), `FUZZ_SEED` the seed.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { RecordedRequest } from '../../proxy/http1/testing/recording-handler.ts';
import { RecordedResponse } from '../../proxy/http1/testing/recording-response.ts';
import { ClientUnderTest, ServerUnderTest } from '../../proxy/http2/testing/peers.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { Random } from './http1/random.ts';
import { damaged } from './http2/corpus.ts';
import { differs, NodeSide } from './http2/node-side.ts';

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
        const difference = differs(request, theirs[i].requests.get(id));
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
