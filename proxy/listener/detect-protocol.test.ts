import { expect, test } from 'vitest';
import { detectProtocol } from './detect-protocol.ts';

const detect = (text: string) => detectProtocol(Buffer.from(text, 'latin1'));
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

test('HTTP/2 by its whole preface', () => {
  for (let end = 1; end < PREFACE.length; end++) expect(detect(PREFACE.slice(0, end))).toBe('incomplete');
  expect(detect(PREFACE)).toBe('http2');
  expect(detect(`${PREFACE}more`)).toBe('http2');
});

test('HTTP/1 by its request line, in pieces', () => {
  const line = 'OPTIONS * HTTP/1.1\r\n';
  for (let end = 1; end < line.length; end++) expect(detect(line.slice(0, end))).toBe('incomplete');
  expect(detect(line)).toBe('http1');
  expect(detect('GET /a HTTP/1.0\nhost: x')).toBe('http1');
  expect(detect('\r\nGET / HTTP/1.1\r\n')).toBe('http1');
  expect(detect(`GET /${'a'.repeat(300)}`)).toBe('http1');
});

test.each([
  'EHLO me\r\n',
  'SET key value\r\n',
  'GET / \r\n',
  'get / HTTP/1.1\r\n',
  '\x00\x01',
  'SSH-2.0-x\r\n',
  'A'.repeat(30),
  '{"a":1}\n',
  'PRI * HTTP/1.1x\r\n',
])('%j is bytes', text => {
  expect(detect(text)).toBe('opaque');
});
