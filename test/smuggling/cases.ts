/**
 * Requests that make two HTTP implementations disagree on where a request ends, or on what it says. The corpus of the
 * codec (test/fuzz/http1) comes first; these need an application behind the proxy to go wrong.
 */
import { FRAMING_CORPUS, type FramingCase } from '../fuzz/http1/framing-corpus.ts';

export interface SmugglingCase {
  readonly name: string;
  /** latin1 bytes as a client sends them. */
  readonly bytes: string;
  /** Status of the refusal by the proxy, or 'accept' when every request is forwarded. */
  readonly verdict: FramingCase['verdict'];
  /** The bytes end in the middle of a request: the client says FIN instead of more. */
  readonly incomplete?: true;
}

const HOST = 'Host: a.test\r\n';
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: b.test\r\n\r\n';
const hidden = `Content-Length: ${SMUGGLED.length}\r\n`;

function request(line: string, fields: string, body = ''): string {
  return `${line} HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
}

function chunked(body: string, fields = ''): string {
  return request('POST /p', `Transfer-Encoding: chunked\r\n${fields}`, body);
}

/** On a port that detects, these are other protocols than HTTP/1.1. */
const OTHER_PROTOCOLS = ['TLS ClientHello', 'HTTP/2 preface'];

/** Values that a client must not get past the proxy in a field that speaks for the mesh. */
export const FORGED = 'forged-identity';

const identities = [
  'X-Forwarded-Client-Cert',
  'x_forwarded_client_cert',
  'X-Forwarded_Client-Cert',
  'X_Forwarded_Client_Cert',
  'Tulle-Client-Id',
  'tulle_client_id',
  'Tulle_Client-Id',
  'Tulle-Source',
  'tulle_source',
  'Tulle-Version',
  'Tulle-Error',
];

const accepted: SmugglingCase[] = [
  // CL.0: whoever ignores the body of these takes it for a request.
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'TRACE'].map(method => ({
    name: `CL.0: ${method} with a body`,
    bytes: request(`${method} /p`, hidden, SMUGGLED),
    verdict: 'accept' as const,
  })),
  {
    name: 'CL.0: GET with a chunked body',
    bytes: request(
      'GET /p',
      'Transfer-Encoding: chunked\r\n',
      `2a\r\n${SMUGGLED}\r\n0\r\n\r\n`.replace('2a', SMUGGLED.length.toString(16)),
    ),
    verdict: 'accept',
  },
  {
    name: 'CL.0: an application that answers before the body',
    bytes: request('POST /early', hidden, SMUGGLED),
    verdict: 'accept',
  },
  {
    name: 'CL.0: a length of 0, and another request',
    bytes: request('POST /p', 'Content-Length: 0\r\n', request('GET /second', '')),
    verdict: 'accept',
  },
  {
    name: 'no length, and another request',
    bytes: request('POST /p', '', request('GET /second', '')),
    verdict: 'accept',
  },
  {
    name: 'a body that looks like chunks',
    bytes: request('POST /p', 'Content-Length: 5\r\n', '0\r\n\r\n'),
    verdict: 'accept',
  },
  {
    name: 'chunks that hold a request',
    bytes: chunked(`${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`),
    verdict: 'accept',
  },
  {
    name: 'many chunks of one octet',
    bytes: chunked(
      `${SMUGGLED.split('')
        .map(c => `1\r\n${c}\r\n`)
        .join('')}0\r\n\r\n`,
    ),
    verdict: 'accept',
  },
  {
    name: 'a chunk size with zeros before it',
    bytes: chunked('0003\r\nabc\r\n000\r\n\r\n'),
    verdict: 'accept',
  },
  { name: 'a chunk size in capitals', bytes: chunked('A\r\n0123456789\r\n0\r\n\r\n'), verdict: 'accept' },
  {
    name: 'a request in a chunk extension',
    bytes: chunked('3;x="GET /smuggled HTTP/1.1"\r\nabc\r\n0\r\n\r\n'),
    verdict: 'accept',
  },
  {
    name: 'an extension of the last chunk',
    bytes: chunked('3\r\nabc\r\n0;GET=smuggled\r\n\r\n'),
    verdict: 'accept',
  },

  // Expectations
  {
    name: 'Expect with the body at once',
    bytes: request('POST /p', `Expect: 100-continue\r\n${hidden}`, SMUGGLED),
    verdict: 'accept',
  },
  { name: 'Expect without a body', bytes: request('GET /p', 'Expect: 100-continue\r\n'), verdict: 'accept' },
  {
    name: 'Expect, and an application that answers before the body',
    bytes: request('POST /early', `Expect: 100-continue\r\n${hidden}`, SMUGGLED),
    verdict: 'accept',
  },
  {
    name: 'Expect in capitals',
    bytes: request('POST /p', 'Expect: 100-Continue\r\nContent-Length: 1\r\n', 'x'),
    verdict: 'accept',
  },
  {
    name: 'two expectations in one',
    bytes: request('POST /p', 'Expect: 100-continue, x\r\nContent-Length: 1\r\n', 'x'),
    verdict: 417,
  },
  {
    name: 'an empty expectation',
    bytes: request('POST /p', 'Expect:\r\nContent-Length: 1\r\n', 'x'),
    verdict: 417,
  },
  {
    name: 'Expect and no body follows',
    bytes: request('POST /p', 'Expect: 100-continue\r\nContent-Length: 10\r\n'),
    verdict: 'accept',
    incomplete: true,
  },

  // Twins of framing fields, for readers that take `_` for `-`.
  {
    name: 'Transfer_Encoding',
    bytes: request('POST /p', 'Transfer_Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'),
    verdict: 'accept',
  },
  {
    name: 'Content_Length',
    bytes: request('POST /p', `Content_Length: 0\r\n${hidden}`, SMUGGLED),
    verdict: 'accept',
  },
  {
    name: 'XTransfer-Encoding',
    bytes: request('POST /p', 'X-Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'),
    verdict: 'accept',
  },

  // Fields of the connection
  {
    name: 'Connection names a field, and it is gone',
    bytes: request('GET /p', `Connection: x-secret\r\nX-Secret: ${FORGED}\r\n`),
    verdict: 'accept',
  },
  {
    name: 'Connection: close and others',
    bytes: request('GET /p', 'Connection: close, X-A\r\nX-A: 1\r\n'),
    verdict: 'accept',
  },
  ...[
    'Transfer-Encoding',
    'Content-Length',
    'Host',
    'X-Forwarded-For',
    'Tulle-Source',
    'Expect',
    'Cookie',
  ].map(name => ({
    name: `Connection names ${name}, in a list`,
    bytes: request('POST /p', `Connection: keep-alive, ${name}\r\nContent-Length: 3\r\n`, 'abc'),
    verdict: 400 as const,
  })),
  {
    name: 'Proxy-Connection and Keep-Alive',
    bytes: request('GET /p', 'Proxy-Connection: close\r\nKeep-Alive: timeout=1\r\n'),
    verdict: 'accept',
  },
  {
    name: 'TE with codings',
    bytes: request('GET /p', 'Connection: TE\r\nTE: gzip, trailers, chunked\r\n'),
    verdict: 'accept',
  },

  // Upgrades that are not taken: what follows is no tunnel.
  {
    name: 'h2c upgrade, then a request',
    bytes: request(
      'GET /p',
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
    ),
    verdict: 'accept',
  },
  {
    name: 'h2c upgrade with a body, then a request',
    bytes: request('POST /p', `Connection: Upgrade\r\nUpgrade: h2c\r\n${hidden}`, SMUGGLED),
    verdict: 'accept',
  },
  {
    name: 'TLS upgrade',
    bytes: request('OPTIONS *', 'Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n'),
    verdict: 'accept',
  },

  // Two names for the destination
  {
    name: 'absolute-form and another Host',
    bytes: `GET http://b.test/p HTTP/1.1\r\n${HOST}\r\n`,
    verdict: 'accept',
  },
  {
    name: 'absolute-form with a query and no path',
    bytes: `GET http://b.test?q HTTP/1.1\r\n${HOST}\r\n`,
    verdict: 'accept',
  },
  { name: 'two slashes at the beginning', bytes: request('GET //b.test/p', ''), verdict: 'accept' },
  { name: 'a colon in the path', bytes: request('GET /http://b.test:80/p', ''), verdict: 'accept' },
  { name: 'encoded line breaks', bytes: request('GET /p%0d%0aX:%20y%20HTTP/1.1', ''), verdict: 'accept' },
  { name: 'dots and encoded slashes', bytes: request('GET /a/../b/%2e%2e%2fc/./d', ''), verdict: 'accept' },

  // HTTP/1.0
  {
    name: 'HTTP/1.0 with a body',
    bytes: `POST /p HTTP/1.0\r\n${HOST}${hidden}\r\n${SMUGGLED}`,
    verdict: 'accept',
  },
  {
    name: 'HTTP/1.0 that is kept, and a request',
    bytes: `POST /p HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n${hidden}\r\n${SMUGGLED}`,
    verdict: 'accept',
  },
  {
    name: 'HTTP/1.0 without Host, and one with',
    bytes: 'GET /p HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    verdict: 'accept',
  },

  // Who speaks for the mesh
  ...identities.map(name => ({
    name: `${name} of the client`,
    bytes: request('GET /p', `${name}: ${FORGED}\r\n`),
    verdict: 'accept' as const,
  })),
  ...[...identities, 'Authorization', 'Cookie', 'Host', 'X-Forwarded-For', 'Forwarded', 'Expect', 'TE'].map(
    name => ({
      name: `${name} in the trailers`,
      bytes: chunked(`3\r\nabc\r\n0\r\n${name}: ${FORGED}\r\nX-Good: 1\r\n\r\n`),
      verdict: 'accept' as const,
    }),
  ),
  {
    name: 'a trailer announced that is a framing field',
    bytes: chunked('3\r\nabc\r\n0\r\n\r\n', 'Trailer: Content-Length, Transfer-Encoding\r\n'),
    verdict: 'accept',
  },

  // Bytes that never become a request
  { name: 'half a head', bytes: 'GET /p HTTP/1.1\r\nHost: a.te', verdict: 'accept', incomplete: true },
  {
    name: 'half a body',
    bytes: request('POST /p', 'Content-Length: 1000\r\n', SMUGGLED),
    verdict: 'accept',
    incomplete: true,
  },
  { name: 'half a chunk', bytes: chunked(`fff\r\n${SMUGGLED}`), verdict: 'accept', incomplete: true },
  { name: 'no last chunk', bytes: chunked('3\r\nabc\r\n'), verdict: 'accept', incomplete: true },
  { name: 'half the trailers', bytes: chunked('3\r\nabc\r\n0\r\nX: y'), verdict: 'accept', incomplete: true },
];

export const SMUGGLING_CASES: readonly SmugglingCase[] = [
  ...FRAMING_CORPUS.filter(({ name }) => !OTHER_PROTOCOLS.includes(name)),
  ...accepted,
];
