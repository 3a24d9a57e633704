/** What hostile HTTP/1.1 clients do, and how it must end: slow-loris in its kinds, and messages without end. */
import type { RawHttp1 } from './raw-http1.ts';

export interface Http1Attack {
  readonly name: string;
  readonly run: (peer: RawHttp1) => Promise<void> | void;
  /** Status of the last answer before the connection is closed, one of these; none: it is closed without one, or in it. */
  readonly statuses: readonly number[];
  /** Under which of these names it is counted. */
  readonly counted: readonly string[];
  /** The clock moves on by so much when the attacker has said what it has to say, again and again. */
  readonly thenMs?: number;
}

/** Another sidecar says that its client speaks HTTP/1.1; from anybody else the field is dropped. */
const FIELDS = 'Host: a.test\r\nTulle-Version: 1.1\r\n';
const GET = `GET / HTTP/1.1\r\n${FIELDS}`;
const POST = `POST /sink HTTP/1.1\r\n${FIELDS}`;
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const LONG = 'x'.repeat(4096);
/** More than any limit, in pieces of 4 KiB. */
const ENDLESS = 10_000;

export const HTTP1_ATTACKS: readonly Http1Attack[] = [
  {
    name: 'a header section without end',
    run: async peer => {
      peer.say(GET);
      await peer.repeat(ENDLESS, () => `X: ${LONG}\r\n`);
    },
    statuses: [431],
    counted: ['maxHeadBytes'],
  },
  {
    name: 'a field without end',
    run: async peer => {
      peer.say(`${GET}X: `);
      await peer.repeat(ENDLESS, () => LONG);
    },
    statuses: [431],
    counted: ['maxHeadBytes'],
  },
  {
    name: 'fields without end, an octet each',
    run: async peer => {
      peer.say(GET);
      await peer.repeat(ENDLESS, () => 'x:\r\n'.repeat(100));
    },
    statuses: [431],
    // Which limit comes first depends on how the bytes are cut.
    counted: ['maxHeadBytes', 'maxFieldCount'],
  },
  {
    name: 'many fields',
    run: peer => peer.say(`${GET}${'x:\r\n'.repeat(2000)}\r\n`),
    statuses: [431],
    counted: ['maxFieldCount'],
  },
  {
    name: 'a request line without end',
    run: async peer => {
      peer.say('GET /');
      await peer.repeat(ENDLESS, () => LONG);
    },
    statuses: [414],
    counted: ['maxStartLineBytes'],
  },
  {
    name: 'a chunk extension without end',
    run: async peer => {
      peer.say(`${CHUNKED}1;`);
      await peer.repeat(ENDLESS, () => LONG);
    },
    statuses: [413],
    counted: ['maxChunkExtensionBytes'],
  },
  {
    name: 'an extension on every chunk (CVE-2024-22019)',
    run: async peer => {
      peer.say(CHUNKED);
      await peer.repeat(ENDLESS, () => `1;${LONG}\r\na\r\n`);
    },
    statuses: [413],
    counted: ['maxChunkExtensionBytes'],
  },
  {
    name: 'trailers without end',
    run: async peer => {
      peer.say(`${CHUNKED}0\r\n`);
      await peer.repeat(ENDLESS, () => `X: ${LONG}\r\n`);
    },
    statuses: [431],
    counted: ['maxTrailerBytes'],
  },
  {
    name: 'a Content-Length beyond all numbers',
    run: peer => peer.say(`${POST}Content-Length: 18446744073709551616\r\n\r\n`),
    statuses: [413],
    counted: ['maxContentLength'],
  },
  {
    name: 'a chunk size beyond all numbers',
    run: peer => peer.say(`${CHUNKED}ffffffffffffffff\r\n`),
    statuses: [400],
    counted: ['http1 chunkSize'],
  },
  {
    name: 'lines without a request',
    run: async peer => {
      await peer.repeat(ENDLESS, () => '\r\n'.repeat(100));
    },
    statuses: [400],
    counted: ['http1 requestLine', 'http1 method'],
  },
  {
    name: 'requests in a pipeline whose answers are not read',
    run: async peer => {
      peer.socket.pause();
      await peer.repeat(500, () => `${GET.replace('/', '/stream')}\r\n`.repeat(100));
    },
    thenMs: 61_000,
    statuses: [],
    // Between two sidecars the link stalls as well, and may be given up first.
    counted: ['bodyIdleTimeoutMs', 'flushStallMs'],
  },
  {
    name: 'slow headers',
    run: async peer => {
      peer.say(GET);
      await peer.drip(20, () => 'X: y\r\n');
    },
    thenMs: 11_000,
    statuses: [408],
    counted: ['headTimeoutMs'],
  },
  {
    name: 'a slow request line',
    run: peer => peer.drip(5, i => 'GET /'.charAt(i)),
    thenMs: 11_000,
    statuses: [408],
    counted: ['headTimeoutMs'],
  },
  {
    name: 'a slow body',
    run: async peer => {
      peer.say(`${POST}Content-Length: 1000000\r\n\r\n`);
      await peer.drip(20, () => 'a');
    },
    thenMs: 61_000,
    statuses: [408],
    counted: ['bodyIdleTimeoutMs'],
  },
  {
    name: 'a huge body that is announced and does not come',
    run: peer => peer.say(`${POST}Content-Length: 9007199254740991\r\n\r\n`),
    thenMs: 61_000,
    statuses: [408],
    counted: ['bodyIdleTimeoutMs'],
  },
  {
    name: 'a slow chunk',
    run: async peer => {
      peer.say(`${CHUNKED}ffff\r\n`);
      await peer.drip(20, () => 'a');
    },
    thenMs: 61_000,
    statuses: [408],
    counted: ['bodyIdleTimeoutMs'],
  },
  {
    name: 'slow trailers',
    run: async peer => {
      peer.say(`${CHUNKED}0\r\n`);
      await peer.drip(20, () => 'X: y\r\n');
    },
    thenMs: 61_000,
    statuses: [408],
    counted: ['bodyIdleTimeoutMs'],
  },
  {
    name: 'slow reading',
    run: peer => {
      peer.socket.pause();
      peer.say(`${GET.replace('/', '/stream')}\r\n`);
    },
    thenMs: 61_000,
    statuses: [],
    // Between two sidecars the link stalls as well, and may be given up first.
    counted: ['bodyIdleTimeoutMs', 'flushStallMs'],
  },
];
