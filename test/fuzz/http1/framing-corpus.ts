/**
 * Requests whose framing or fields two implementations may read differently, and the verdict that the codec must
 * give. The differential fuzz mutates them.
 */
export interface FramingCase {
  readonly name: string;
  /** latin1 bytes as a client sends them. */
  readonly bytes: string;
  /** Status of the refusal, or 'accept' when every request in the bytes is served. */
  readonly verdict: 400 | 408 | 413 | 414 | 417 | 431 | 'accept';
  /** Requests that are served before the refusal, or in all. Default: 0 for a refusal, 1 for 'accept'. */
  readonly served?: number;
}

const HOST = 'Host: a.test\r\n';

function get(fields: string, line = 'GET / HTTP/1.1'): string {
  return `${line}\r\n${HOST}${fields}\r\n`;
}

function post(fields: string, body: string): string {
  return `POST /p HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
}

function chunked(body: string): string {
  return post('Transfer-Encoding: chunked\r\n', body);
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n';

export const FRAMING_CORPUS: readonly FramingCase[] = [
  // What must keep working.
  { name: 'plain GET', bytes: get(''), verdict: 'accept' },
  { name: 'one empty line before', bytes: `\r\n${get('')}`, verdict: 'accept' },
  { name: 'two empty lines before', bytes: `\r\n\r\n${get('')}`, verdict: 400 },
  { name: 'length', bytes: post('Content-Length: 3\r\n', 'abc'), verdict: 'accept' },
  { name: 'length with leading zeros', bytes: post('Content-Length: 003\r\n', 'abc'), verdict: 'accept' },
  { name: 'chunked', bytes: chunked('3\r\nabc\r\n0\r\n\r\n'), verdict: 'accept' },
  {
    name: 'chunked, upper-case coding',
    bytes: post('Transfer-Encoding: CHUNKED\r\n', '0\r\n\r\n'),
    verdict: 'accept',
  },
  { name: 'chunked with trailers', bytes: chunked('1\r\na\r\n0\r\nX-T: 1\r\n\r\n'), verdict: 'accept' },
  { name: 'chunk extension', bytes: chunked('1;a=b;c="d;\\"e"\r\na\r\n0;x\r\n\r\n'), verdict: 'accept' },
  {
    name: 'pipelined',
    bytes: get('') + post('Content-Length: 1\r\n', 'x') + get(''),
    verdict: 'accept',
    served: 3,
  },
  { name: 'tabs around a value', bytes: get('X: \t v \t\r\n'), verdict: 'accept' },
  { name: 'empty value', bytes: get('X:\r\n'), verdict: 'accept' },
  { name: 'obs-text in a value', bytes: get('X: \xff\xfe\r\n'), verdict: 'accept' },
  { name: 'HTTP/1.0 without Host', bytes: 'GET / HTTP/1.0\r\n\r\n', verdict: 'accept' },
  { name: 'absolute-form', bytes: get('', 'GET http://b.test:80/x?y HTTP/1.1'), verdict: 'accept' },
  { name: 'OPTIONS *', bytes: get('', 'OPTIONS * HTTP/1.1'), verdict: 'accept' },
  { name: 'raw UTF-8 in the path', bytes: get('', 'GET /\xc3\xbc HTTP/1.1'), verdict: 400 },

  // CL.TE, TE.CL, TE.TE
  {
    name: 'CL.TE',
    bytes: post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    verdict: 400,
  },
  {
    name: 'TE.CL',
    bytes: post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `5c\r\n${SMUGGLED}\r\n0\r\n\r\n`),
    verdict: 400,
  },
  {
    name: 'CL 0 with TE',
    bytes: post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    verdict: 400,
  },
  {
    name: 'TE.TE: second coding unknown',
    bytes: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n', '0\r\n\r\n'),
    verdict: 400,
  },
  {
    name: 'TE twice chunked',
    bytes: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    verdict: 400,
  },
  ...[
    'xchunked',
    'chunked, chunked',
    'gzip, chunked',
    'chunked, gzip',
    'identity',
    'chunked;q=1',
    '"chunked"',
    'chunked,',
    'chunked\t',
    '\tchunked',
    'chunked \t ',
    ',chunked',
    'chunked\x0b',
    'chunked\x00',
    '\x0bchunked',
    'chunke\xb4',
    '',
  ].map(coding => ({
    name: `TE ${JSON.stringify(coding)}`,
    bytes: post(`Transfer-Encoding: ${coding}\r\n`, '0\r\n\r\n'),
    verdict: 400 as const,
  })),
  {
    name: 'space before the colon of TE',
    bytes: post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n'),
    verdict: 400,
  },
  {
    name: 'tab before the colon of TE',
    bytes: post('Transfer-Encoding\t: chunked\r\n', '0\r\n\r\n'),
    verdict: 400,
  },
  { name: 'folded TE', bytes: post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'), verdict: 400 },
  {
    name: 'TE hidden behind a fold',
    bytes: post('X: y\r\n Transfer-Encoding: chunked\r\n', ''),
    verdict: 400,
  },
  { name: 'TE behind a bare CR', bytes: post('X: y\rTransfer-Encoding: chunked\r\n', ''), verdict: 400 },
  { name: 'TE behind a bare LF', bytes: post('X: y\nTransfer-Encoding: chunked\r\n', ''), verdict: 400 },
  { name: 'NUL in the name of TE', bytes: post('Transfer\x00-Encoding: chunked\r\n', ''), verdict: 400 },
  {
    name: 'TE in HTTP/1.0',
    bytes: 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    verdict: 400,
  },

  // Lengths
  ...[
    '+3',
    '-3',
    '0x3',
    '3.0',
    '3 3',
    '3, 3',
    '3,3',
    '3;',
    '3\x0b',
    'three',
    '',
    '1e1',
    '\xb3',
    ' ',
    '3_0',
    '3\t',
    '\t3',
  ].map(length => ({
    name: `Content-Length ${JSON.stringify(length)}`,
    bytes: post(`Content-Length: ${length}\r\n`, 'abc'),
    verdict: 400 as const,
  })),
  {
    name: 'two equal lengths',
    bytes: post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc'),
    verdict: 400,
  },
  { name: 'two lengths', bytes: post('Content-Length: 3\r\nContent-Length: 4\r\n', 'abcd'), verdict: 400 },
  { name: 'length beyond 2^53', bytes: post('Content-Length: 9007199254740993\r\n', ''), verdict: 413 },
  {
    name: 'length beyond 2^64',
    bytes: post('Content-Length: 18446744073709551619\r\n', 'abc'),
    verdict: 413,
  },
  { name: 'length of 400 digits', bytes: post(`Content-Length: ${'9'.repeat(400)}\r\n`, ''), verdict: 413 },
  { name: 'underscore twin of a length', bytes: post('Content_Length: 3\r\n', ''), verdict: 'accept' },

  // Chunks
  ...[
    '+1\r\na\r\n',
    '-1\r\na\r\n',
    '0x1\r\na\r\n',
    ' 1\r\na\r\n',
    '1 \r\na\r\n',
    '1\t\r\na\r\n',
    'g\r\na\r\n',
    '\r\na\r\n',
    ';x\r\na\r\n',
    '1\na\r\n',
    '1\ra\r\n',
    '1\r\na\n',
    '1\r\nab\r\n',
    '1\r\naX\n',
    '1\r\na\n\n',
    '1\r\na\rX',
    '1_0\r\n',
    '10000000000000001\r\na\r\n',
    'ffffffffffffffff1\r\na\r\n',
    '1; x\r\na\r\n',
    '1;\r\na\r\n',
    '1;x=\r\na\r\n',
    '1;x="a\r\n"\r\na\r\n',
    '1;x\n\r\na\r\n',
    '1;x\rX\r\na\r\n',
    '1;x=\x00\r\na\r\n',
    '1\x00\r\na\r\n',
    '1,1\r\na\r\n',
  ].map(body => ({
    name: `chunk ${JSON.stringify(body)}`,
    bytes: chunked(`${body}0\r\n\r\n`),
    verdict: 400 as const,
    served: 1,
  })),
  { name: 'bare LF ends the trailers', bytes: chunked('0\r\nX: y\n\n'), verdict: 400, served: 1 },
  {
    name: 'length in the trailers',
    bytes: chunked('0\r\nContent-Length: 3\r\n\r\n'),
    verdict: 400,
    served: 1,
  },
  {
    name: 'TE in the trailers',
    bytes: chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'),
    verdict: 400,
    served: 1,
  },
  {
    name: 'Connection in the trailers',
    bytes: chunked('0\r\nConnection: close\r\n\r\n'),
    verdict: 400,
    served: 1,
  },
  { name: 'folded trailer', bytes: chunked('0\r\nX: y\r\n z\r\n\r\n'), verdict: 400, served: 1 },
  { name: 'space before colon in a trailer', bytes: chunked('0\r\nX : y\r\n\r\n'), verdict: 400, served: 1 },
  { name: 'bare CR after the last chunk', bytes: chunked('0\r\n\rX\r\n'), verdict: 400, served: 1 },
  {
    name: 'long chunk extension',
    bytes: chunked(`1;${'x'.repeat(20_000)}\r\na\r\n`),
    verdict: 413,
    served: 1,
  },
  { name: 'long trailers', bytes: chunked(`0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), verdict: 431, served: 1 },

  // Line structure
  { name: 'bare LF lines', bytes: 'GET / HTTP/1.1\nHost: a.test\n\n', verdict: 400 },
  { name: 'bare LF after the request line', bytes: 'GET / HTTP/1.1\nHost: a.test\r\n\r\n', verdict: 400 },
  { name: 'bare LF ends the head', bytes: 'GET / HTTP/1.1\r\nHost: a.test\r\n\n', verdict: 400 },
  { name: 'bare CR ends the head', bytes: 'GET / HTTP/1.1\r\nHost: a.test\r\n\rX', verdict: 400 },
  { name: 'CR CR LF', bytes: 'GET / HTTP/1.1\r\r\nHost: a.test\r\n\r\n', verdict: 400 },
  { name: 'obs-fold', bytes: get('X: a\r\n b\r\n'), verdict: 400 },
  { name: 'first field line folded', bytes: `GET / HTTP/1.1\r\n X: y\r\n${HOST}\r\n`, verdict: 400 },
  { name: 'empty field name', bytes: get(': x\r\n'), verdict: 400 },
  { name: 'no colon', bytes: get('nothing\r\n'), verdict: 400 },
  ...['\x00', '\x01', '\x0b', '\x7f', '\x80', '"', '(', '/', '@', '[', '{', ' '].map(byte => ({
    name: `byte ${JSON.stringify(byte)} in a field name`,
    bytes: get(`X${byte}Y: v\r\n`),
    verdict: 400 as const,
  })),
  ...['\x00', '\x01', '\x08', '\x0b', '\x0c', '\x1b', '\x7f'].map(byte => ({
    name: `byte ${JSON.stringify(byte)} in a field value`,
    bytes: get(`X: a${byte}b\r\n`),
    verdict: 400 as const,
  })),

  // Request line
  { name: 'HTTP/0.9', bytes: 'GET /\r\n\r\n', verdict: 400 },
  { name: 'HTTP/0.9 with LF', bytes: 'GET /\n', verdict: 400 },
  ...[
    'HTTP/2.0',
    'HTTP/1.2',
    'HTTP/1.',
    'HTTP/1.10',
    'HTTP/01.1',
    'http/1.1',
    'HTTPS/1.1',
    'HTTP/1,1',
    'HTTP 1.1',
  ].map(version => ({
    name: `version ${version}`,
    bytes: get('', `GET / ${version}`),
    verdict: 400 as const,
  })),
  { name: 'double space before the target', bytes: get('', 'GET  / HTTP/1.1'), verdict: 400 },
  { name: 'double space before the version', bytes: get('', 'GET /  HTTP/1.1'), verdict: 400 },
  { name: 'space after the version', bytes: get('', 'GET / HTTP/1.1 '), verdict: 400 },
  { name: 'tab instead of space', bytes: get('', 'GET\t/ HTTP/1.1'), verdict: 400 },
  { name: 'space before the method', bytes: get('', ' GET / HTTP/1.1'), verdict: 400 },
  { name: 'space in the target', bytes: get('', 'GET /a b HTTP/1.1'), verdict: 400 },
  { name: 'fragment in the target', bytes: get('', 'GET /a#b HTTP/1.1'), verdict: 400 },
  { name: 'NUL in the target', bytes: get('', 'GET /a\x00b HTTP/1.1'), verdict: 400 },
  { name: 'lower-case method', bytes: get('', 'get / HTTP/1.1'), verdict: 400 },
  { name: 'method with a colon', bytes: get('', 'GET: / HTTP/1.1'), verdict: 400 },
  { name: 'TLS ClientHello', bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', verdict: 400 },
  { name: 'HTTP/2 preface', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', verdict: 400 },

  // Host and target
  { name: 'no Host', bytes: 'GET / HTTP/1.1\r\n\r\n', verdict: 400 },
  { name: 'two Hosts', bytes: get(HOST), verdict: 400 },
  { name: 'two Hosts in HTTP/1.0', bytes: get(HOST, 'GET / HTTP/1.0'), verdict: 400 },
  ...[
    '',
    'a, b',
    'a,b',
    'a b',
    'u@evil',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a:b',
    'a:80:80',
    'a:',
    'a:65536',
    'a:000080',
    ':80',
    '[::1',
    '[g::1]',
    '[::1]x',
    'a%2eb',
    'a\x00b',
    '\xe4',
    "a'b",
    '*',
    'a'.repeat(300),
  ].map(host => ({
    name: `Host ${JSON.stringify(host)}`,
    bytes: `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    verdict: 400 as const,
  })),
  ...['a', 'A.Test', 'a_b.c', '127.0.0.1:80', '[::1]:8080', '[::ffff:1.2.3.4]', 'a.test.'].map(host => ({
    name: `Host ${host}`,
    bytes: `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    verdict: 'accept' as const,
  })),
  ...[
    'http://',
    'http:///x',
    'http://u@a/',
    'http://a b/',
    'ftp://a/',
    'http:/a',
    'a',
    '?x',
    '*',
    'a:80',
    '//a b',
  ].map(target => ({
    name: `target ${target}`,
    bytes: get('', `GET ${target} HTTP/1.1`),
    verdict: 400 as const,
  })),
  ...['/', '*', 'a', 'http://a:80/', 'a:80/'].map(target => ({
    name: `CONNECT ${target}`,
    bytes: get('', `CONNECT ${target} HTTP/1.1`),
    verdict: 400 as const,
  })),

  // Hop-by-hop
  ...[
    'Host',
    'Content-Length',
    'Transfer-Encoding',
    'X-Forwarded-Client-Cert',
    'Authorization',
    'Cookie',
    'tulle-error',
    'expect',
  ].map(name => ({
    name: `Connection names ${name}`,
    bytes: get(`Connection: close, ${name}\r\n`),
    verdict: 400 as const,
  })),
  { name: 'Connection with a non-token', bytes: get('Connection: a b\r\n'), verdict: 400 },
  {
    name: 'Connection names a custom field',
    bytes: get('Connection: x-hop\r\nX-Hop: 1\r\n'),
    verdict: 'accept',
  },
  {
    name: 'h2c upgrade is no upgrade',
    bytes: get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'),
    verdict: 'accept',
  },
  {
    name: 'h2c upgrade with a body',
    bytes: post('Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n', 'x'),
    verdict: 'accept',
  },
  {
    name: 'upgrade with a body',
    bytes: post('Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n', 'x'),
    verdict: 400,
  },
  { name: 'malformed Upgrade', bytes: get('Connection: Upgrade\r\nUpgrade: web socket\r\n'), verdict: 400 },
  { name: 'CONNECT with a body', bytes: get('Content-Length: 1\r\n', 'CONNECT a:1 HTTP/1.1'), verdict: 400 },
  { name: 'unknown expectation', bytes: post('Expect: 200-ok\r\nContent-Length: 1\r\n', ''), verdict: 417 },

  // Sizes
  { name: 'long target', bytes: get('', `GET /${'a'.repeat(17_000)} HTTP/1.1`), verdict: 414 },
  { name: 'long method', bytes: `${'A'.repeat(17_000)} `, verdict: 414 },
  { name: 'long field', bytes: get(`X: ${'a'.repeat(66_000)}\r\n`), verdict: 431 },
  { name: 'many fields', bytes: get('X: y\r\n'.repeat(100)), verdict: 431 },
  {
    name: 'length hidden behind 2,000 fields',
    bytes: post(`${'X: y\r\n'.repeat(2000)}Content-Length: 3\r\n`, 'abc'),
    verdict: 431,
  },
  { name: '100 fields', bytes: get('X: y\r\n'.repeat(99)), verdict: 'accept' },
];
