/** HTTP/2 requests that would say something else in HTTP/1.1, where a sidecar turns one into the other. */

import { frame, headers } from '../../proxy/http2/testing/wire.ts';
import { FORGED } from './cases.ts';

export interface ConversionCase {
  readonly name: string;
  /** Frames of stream 1. */
  readonly frames: readonly Buffer[];
  /** `refused`: RST_STREAM PROTOCOL_ERROR. Otherwise what the application sees: method, host, target and body. */
  readonly sees: 'refused' | readonly [method: string, host: string, target: string, body: string];
}

const PSEUDO: Readonly<Record<string, string>> = {
  ':method': 'GET',
  ':scheme': 'http',
  ':authority': 'a.test',
  ':path': '/p',
};

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: b.test\r\n\r\n';

/** A request from HTTP/1.1 as the other sidecar sends it, with some pseudo-header fields changed; '' leaves one out. */
function request(
  changes: Readonly<Record<string, string>>,
  fields: readonly string[] = [],
  body: readonly Buffer[] = [],
): Buffer[] {
  const pseudo = Object.entries({ ...PSEUDO, ...changes }).filter(([, value]) => value !== '');
  return [headers(1, [...pseudo.flat(), 'tulle-version', '1.1', ...fields], body.length === 0), ...body];
}

const data = (text: string, end = true): Buffer => frame(0, end ? 1 : 0, 1, text);
const trailers = (...fields: string[]): Buffer => headers(1, fields, true);

function refused(name: string, frames: Buffer[]): ConversionCase {
  return { name, frames, sees: 'refused' };
}

const shown = (text: string): string => JSON.stringify(text);

const LINE_BREAKS = ['\r\n', '\n', '\r', '\0', ' ', '\t', '\x0b', '\x7f', '\x85', '\u00a0'];

export const CONVERSION_CASES: readonly ConversionCase[] = [
  { name: 'plain', frames: request({}), sees: ['GET', 'a.test', '/p', ''] },
  {
    name: 'a body without length',
    frames: request({ ':method': 'POST' }, [], [data('abc', false), data('def')]),
    sees: ['POST', 'a.test', '/p', 'abcdef'],
  },
  {
    name: 'a body that is a request',
    frames: request({ ':method': 'POST' }, ['content-length', String(SMUGGLED.length)], [data(SMUGGLED)]),
    sees: ['POST', 'a.test', '/p', SMUGGLED],
  },
  {
    name: 'GET with a body that is a request',
    frames: request({}, [], [data(SMUGGLED)]),
    sees: ['GET', 'a.test', '/p', SMUGGLED],
  },
  {
    name: 'a body that ends in an empty frame',
    frames: request({ ':method': 'POST' }, [], [data(SMUGGLED, false), data('')]),
    sees: ['POST', 'a.test', '/p', SMUGGLED],
  },
  {
    name: 'a body of chunks',
    frames: request({ ':method': 'POST' }, ['content-length', '5'], [data('0\r\n\r\n')]),
    sees: ['POST', 'a.test', '/p', '0\r\n\r\n'],
  },
  {
    name: 'trailers',
    frames: request({ ':method': 'POST' }, [], [data('abc', false), trailers('x-good', '1')]),
    sees: ['POST', 'a.test', '/p', 'abc'],
  },

  {
    name: 'a path of what no URI has and clients send',
    frames: request({ ':path': '/a"<>|{}^`\\b' }),
    sees: ['GET', 'a.test', '/a"<>|{}^`\\b', ''],
  },

  ...[
    'authorization',
    'cookie',
    'host',
    'forwarded',
    'x-forwarded-for',
    'x-forwarded-client-cert',
    'x_forwarded_client_cert',
    'tulle-client-id',
    'tulle_source',
  ].map(name => ({
    name: `${name} in the trailers is left out`,
    frames: request({ ':method': 'POST' }, [], [data('abc', false), trailers('x-good', '1', name, FORGED)]),
    sees: ['POST', 'a.test', '/p', 'abc'] as const,
  })),

  // Pseudo-header fields that would break out of the request line or the Host field.
  ...LINE_BREAKS.map(text => refused(`:path with ${shown(text)}`, request({ ':path': `/p${text}HTTP/1.1` }))),
  ...LINE_BREAKS.map(text => refused(`:method with ${shown(text)}`, request({ ':method': `GET${text}/x` }))),
  ...LINE_BREAKS.map(text =>
    refused(`:authority with ${shown(text)}`, request({ ':authority': `a.test${text}x` })),
  ),
  ...LINE_BREAKS.map(text => refused(`:scheme with ${shown(text)}`, request({ ':scheme': `http${text}x` }))),
  ...['p', 'http://b.test/', '*', '?q', '/a#b', '/\xfc', '/a\\b\r\nX: y'].map(path =>
    refused(`:path ${shown(path)}`, request({ ':path': path })),
  ),
  ...['GET /x HTTP/1.1\r\nHost: b.test\r\n\r\nGET', 'G(T', 'GÉT', 'GET:', 'get', 'Get'].map(method =>
    refused(`:method ${shown(method)}`, request({ ':method': method })),
  ),
  ...['u@a.test', 'a.test/x', 'a.test, b.test', 'a.test?', 'a.test#', '[::1', 'a.test:x', 'a.test:99999'].map(
    authority => refused(`:authority ${shown(authority)}`, request({ ':authority': authority })),
  ),
  ...['ftp', 'HTTP', 'http:'].map(scheme => refused(`:scheme ${scheme}`, request({ ':scheme': scheme }))),
  ...Object.keys(PSEUDO).map(name => refused(`no ${name}`, request({ [name]: '' }))),
  refused('two :path', [
    headers(1, [...Object.entries(PSEUDO).flat(), ':path', '/x', 'tulle-version', '1.1'], true),
  ]),
  refused('two :method', [headers(1, [...Object.entries(PSEUDO).flat(), ':method', 'POST'], true)]),
  refused('two :authority', [headers(1, [...Object.entries(PSEUDO).flat(), ':authority', 'b.test'], true)]),
  refused('a pseudo-header field after the others', request({}, [':path', '/x'])),
  refused(':status', [headers(1, [...Object.entries(PSEUDO).flat(), ':status', '200'], true)]),
  refused('an unknown pseudo-header field', [
    headers(1, [...Object.entries(PSEUDO).flat(), ':x', 'y'], true),
  ]),
  refused(':protocol without CONNECT', [
    headers(1, [...Object.entries(PSEUDO).flat(), ':protocol', 'websocket'], true),
  ]),
  refused('host that differs', request({}, ['host', 'b.test'])),
  refused('two host fields', request({}, ['host', 'a.test', 'host', 'a.test'])),
  {
    name: 'host that is the same',
    frames: request({}, ['host', 'A.test']),
    sees: ['GET', 'a.test', '/p', ''],
  },

  // Fields that would become other fields, or frame the message.
  ...LINE_BREAKS.filter(text => !'\x85\u00a0'.includes(text) || text === '').map(text =>
    refused(`a field name with ${shown(text)}`, request({}, [`x${text}y`, 'z'])),
  ),
  ...['\r\n', '\n', '\r', '\0'].map(text =>
    refused(`a field value with ${shown(text)}`, request({}, ['x', `y${text}Transfer-Encoding: chunked`])),
  ),
  ...['', 'X', 'x:', ':', 'x y', 'x(', 'x/', 'x\xe4'].map(name =>
    refused(`the field name ${shown(name)}`, request({}, [name, 'y'])),
  ),
  ...[' y', 'y ', '\ty', 'y\t'].map(value =>
    refused(`the field value ${shown(value)}`, request({}, ['x', value])),
  ),
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(name =>
    refused(
      `the field ${name}`,
      request(
        { ':method': 'POST' },
        [name, name === 'transfer-encoding' ? 'chunked' : 'close'],
        [data('0\r\n\r\n')],
      ),
    ),
  ),
  refused('te: chunked', request({}, ['te', 'chunked'])),
  ...['5', '2', '+3', '-3', '0x3', '3, 3', '3,3', ' 3', '', '3 ', '99999999999999999999'].map(length =>
    refused(
      `content-length ${shown(length)} and a body of 3`,
      request({ ':method': 'POST' }, ['content-length', length], [data('abc')]),
    ),
  ),
  refused('content-length and no body', request({ ':method': 'POST' }, ['content-length', '3'])),
  refused(
    'two lengths',
    request({ ':method': 'POST' }, ['content-length', '3', 'content-length', '4'], [data('abc')]),
  ),
  refused(
    'more DATA than the length, the rest a request',
    request({ ':method': 'POST' }, ['content-length', '3'], [data('abc', false), data(SMUGGLED)]),
  ),
  refused(
    'less DATA than the length, then trailers',
    request({ ':method': 'POST' }, ['content-length', '9'], [data('abc', false), trailers('x', 'y')]),
  ),
  ...['transfer-encoding', 'connection', 'upgrade', ':path', 'X'].map(name =>
    refused(
      `${name} in the trailers`,
      request({ ':method': 'POST' }, [], [data('abc', false), trailers(name, 'x')]),
    ),
  ),
  ...[
    ['x', 'y\r\nGET /smuggled HTTP/1.1'],
    ['x\r\ny', 'z'],
  ].map(fields =>
    refused(
      `trailers ${shown(fields.join(': '))}`,
      request({ ':method': 'POST' }, [], [data('abc', false), trailers(...fields)]),
    ),
  ),
];
