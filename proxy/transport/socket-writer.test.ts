import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createServerAuthority } from '../../test/integration/server-authority.ts';
import { resetOnDestroy, writeHandleOf } from './socket-handle.ts';
import { createSocketWriter, HandleWriter, type SocketWriter, StreamWriter } from './socket-writer.ts';

const certificate = createServerAuthority().issue(['localhost']);

let server: Server;
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
});

type Layer = 'tcp' | 'tls';

/** A socket and the other end of it, which reads nothing until it is asked to. */
async function pair(layer: Layer): Promise<{ socket: Socket; peer: Socket }> {
  const options = { allowHalfOpen: true, pauseOnConnect: layer === 'tcp' };
  server = layer === 'tcp' ? createServer(options) : createTlsServer({ ...options, ...certificate });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const target = { port, host: '127.0.0.1', allowHalfOpen: true };
  const socket = layer === 'tcp' ? connect(target) : connectTls({ ...target, rejectUnauthorized: false });
  const [[peer]] = await Promise.all([
    once(server, layer === 'tcp' ? 'connection' : 'secureConnection') as Promise<[Socket]>,
    once(socket, layer === 'tcp' ? 'connect' : 'secureConnect'),
  ]);
  sockets.push(socket, peer);
  return { socket, peer };
}

/** A writer, and how much its socket holds. */
function write(socket: Socket, kind: 'handle' | 'stream'): { writer: SocketWriter; held: { bytes: number } } {
  const held = { bytes: 0 };
  const onTaken = (bytes: number): void => {
    held.bytes = bytes;
  };
  const writer = kind === 'stream' ? new StreamWriter(socket, onTaken) : createSocketWriter(socket, onTaken);
  return { writer, held };
}

async function readAll(peer: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of peer) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Longer than what the kernel holds for both ends. */
const LONG_BYTES = 16_000_000;

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

for (const kind of ['handle', 'stream'] as const) {
  for (const layer of ['tcp', 'tls'] as const) {
    describe(`${layer}, ${kind}`, () => {
      test('everything comes in its order, and then the end', async () => {
        const { socket, peer } = await pair(layer);
        const { writer } = write(socket, kind);
        const sent: Buffer[] = [];
        for (let i = 0; i < 300; i++) {
          const bytes = Buffer.alloc(1 + ((i * 7919) % 70_000), i);
          sent.push(bytes);
          writer.lend(Buffer.from(bytes));
          if (i % 3 === 0) await turn();
        }
        writer.end();
        expect((await readAll(peer)).equals(Buffer.concat(sent))).toBe(true);
      });

      test('what the kernel does not take is held until the peer reads', async () => {
        const { socket, peer } = await pair(layer);
        const { writer, held } = write(socket, kind);
        held.bytes = writer.lend(Buffer.alloc(LONG_BYTES));
        expect(held.bytes).toBe(LONG_BYTES);
        // TLS has encrypted it into memory of its own.
        expect(writer.retained).toBe(layer === 'tcp');
        held.bytes = writer.lend(Buffer.alloc(10));
        expect(held.bytes).toBe(LONG_BYTES + 10);
        expect(writer.retained).toBe(true);
        writer.end();
        expect((await readAll(peer)).length).toBe(LONG_BYTES + 10);
        while (held.bytes > 0) await turn();
      });

      test('the memory of a write that is under way may be forgotten', async () => {
        const { socket, peer } = await pair(layer);
        const { writer } = write(socket, kind);
        writer.lend(Buffer.alloc(LONG_BYTES, 'x'));
        for (let i = 0; i < 20; i++) Buffer.alloc(LONG_BYTES, 'y');
        await turn();
        writer.end();
        expect((await readAll(peer)).indexOf('y')).toBe(-1);
      });

      test('a write that fails ends the socket with the error of a write', async () => {
        const { socket, peer } = await pair(layer);
        const { writer } = write(socket, kind);
        const failed = once(socket, 'error') as Promise<NodeJS.ErrnoException[]>;
        resetOnDestroy(peer);
        peer.destroy();
        await once(peer, 'close');
        while (!socket.destroyed) {
          writer.lend(Buffer.alloc(1000));
          await turn();
        }
        const [error] = await failed;
        expect(['EPIPE', 'ECONNRESET']).toContain(error.code);
        expect(writer.lend(Buffer.alloc(10))).toBe(0);
      });

      test('a destroyed socket takes nothing and says nothing', async () => {
        const { socket } = await pair(layer);
        const { writer, held } = write(socket, kind);
        held.bytes = writer.lend(Buffer.alloc(LONG_BYTES));
        socket.destroy();
        await once(socket, 'close');
        await turn();
        expect(writer.lend(Buffer.alloc(10))).toBe(0);
      });
    });
  }
}

describe('writing to the handle', () => {
  test('nothing that was written before is left for the next write over TCP', async () => {
    const { socket } = await pair('tcp');
    const { writer } = write(socket, 'handle');
    for (let i = 0; i < 10; i++) {
      expect(writer.lend(Buffer.alloc(100))).toBe(0);
      expect(writer.retained).toBe(false);
    }
    expect(socket.bytesWritten).toBe(1000);
  });

  test('TLS holds nothing that the kernel has taken, and takes the next write at once a turn later', async () => {
    const { socket } = await pair('tls');
    const { writer, held } = write(socket, 'handle');
    for (let i = 0; i < 10; i++) {
      await turn();
      await turn();
      expect(writer.takesAtOnce).toBe(true);
      expect(writer.lend(Buffer.alloc(100))).toBe(0);
      expect(writer.retained).toBe(false);
    }
    expect(writer.takesAtOnce).toBe(false);
    held.bytes = writer.lend(Buffer.alloc(200));
    expect(held.bytes).toBe(200);
    expect(writer.retained).toBe(true);
    while (held.bytes > 0) await turn();
  });

  test('this Node can, and an older one cannot', async () => {
    const { socket } = await pair('tcp');
    expect(createSocketWriter(socket, () => {})).toBeInstanceOf(HandleWriter);
    expect(writeHandleOf(socket, '26.9.0')).toBeNull();
    expect(writeHandleOf(socket, '24.12.1')).toBeNull();
    expect(writeHandleOf(socket, '27.0.0')).not.toBeNull();
  });
});
