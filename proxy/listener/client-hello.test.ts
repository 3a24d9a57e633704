import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { readClientHello } from './client-hello.ts';

/** The first bytes that Node's TLS client sends. */
async function hello(ALPNProtocols: string[] | undefined, servername = ''): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connect({
    port,
    host: '127.0.0.1',
    ...(ALPNProtocols && { ALPNProtocols }),
    ...(servername && { servername }),
  });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  server.close();
  return bytes;
}

test('the protocols of a real hello, with and without ALPN and a server name', async () => {
  expect(readClientHello(await hello(['tulle-h2', 'h2']))).toEqual({
    kind: 'hello',
    alpn: ['tulle-h2', 'h2'],
    serverName: '',
  });
  expect(readClientHello(await hello(['h2'], 'example.org'))).toEqual({
    kind: 'hello',
    alpn: ['h2'],
    serverName: 'example.org',
  });
  expect(readClientHello(await hello(undefined))).toEqual({ kind: 'hello', alpn: [], serverName: '' });
});

test('the server name in lower case; a second one, or a list that is none, is no hello', async () => {
  const bytes = await hello(['h2'], 'Shop.Example.ORG');
  expect(readClientHello(bytes)).toMatchObject({ serverName: 'shop.example.org' });
  // Another type of name, which nobody has defined.
  const at = bytes.indexOf('Shop') - 3;
  const unknown = Buffer.from(bytes);
  unknown[at] = 1;
  expect(readClientHello(unknown).kind).toBe('other');
  // The extension before it becomes one with the same type.
  const name = bytes.subarray(at - 6, at + 3 + 'Shop.Example.ORG'.length);
  const twice = Buffer.concat([bytes.subarray(0, at - 6), name, bytes.subarray(at - 6)]);
  const add = (offset: number, size: number): unknown =>
    twice.writeUIntBE(twice.readUIntBE(offset, size) + name.length, offset, size);
  add(3, 2);
  add(6, 3);
  const ciphers = 44 + twice[43];
  const extensions = ciphers + 2 + twice.readUInt16BE(ciphers) + 2;
  add(extensions, 2);
  expect(readClientHello(twice).kind).toBe('other');
});

test('a hello of more than 16 KiB is none, and is not waited for', async () => {
  const bytes = Buffer.from(await hello(['h2']));
  bytes.writeUIntBE(16_384, 6, 3);
  expect(readClientHello(bytes).kind).toBe('incomplete');
  bytes.writeUIntBE(16_385, 6, 3);
  expect(readClientHello(bytes).kind).toBe('other');
});

test('every beginning of a hello is incomplete, and never anything else', async () => {
  const bytes = await hello(['tulle-tcp']);
  for (let end = 0; end < bytes.length; end++) {
    expect(readClientHello(bytes.subarray(0, end)).kind).toBe('incomplete');
  }
});

test('a hello may be spread over several records', async () => {
  const bytes = await hello(['tulle-h2']);
  const body = bytes.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += 50) {
    const part = body.subarray(at, at + 50);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  expect(readClientHello(Buffer.concat(records))).toEqual({
    kind: 'hello',
    alpn: ['tulle-h2'],
    serverName: '',
  });
});

test('what is not a hello is told from it at the first byte that differs', () => {
  for (const text of ['GET / HTTP/1.1', 'SSH-2.0', '\x16\x02\x00', '\x16\x03\x01\x00\x10\x02']) {
    expect(readClientHello(Buffer.from(text, 'latin1')).kind).toBe('other');
  }
});

test('a hello with lengths that do not fit is not one, wherever it is damaged', async () => {
  const bytes = await hello(['tulle-h2']);
  for (let at = 5; at < bytes.length; at++) {
    for (const value of [0, 0xff]) {
      const damaged = Buffer.from(bytes);
      damaged[at] = value;
      // Must not throw; a damaged random or key share is still a hello.
      expect(['hello', 'incomplete', 'other']).toContain(readClientHello(damaged).kind);
    }
  }
});
