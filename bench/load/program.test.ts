import { once } from 'node:events';
import { type AddressInfo, createServer, type Server as TcpServer } from 'node:net';
import { type handleBidiStreamingCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { program } from './program.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** Long enough for the first answers on a machine that is busy. */
const SECONDS = 2;

const bytes = (value: Buffer): Buffer => value;

/** A service of grpc-js whose calls are all `handle`. */
async function grpcServer(handle: handleBidiStreamingCall<Buffer, Buffer>) {
  const server = new Server();
  const stream = {
    requestStream: true,
    responseStream: true,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const methods = {
    unary: { ...stream, path: '/bench.Echo/Unary' },
    stream: { ...stream, path: '/bench.Echo/Stream' },
  };
  server.addService(methods, { unary: handle, stream: handle });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  cleanups.push(() => server.forceShutdown());
  return { host: '127.0.0.1', port };
}

const echo: handleBidiStreamingCall<Buffer, Buffer> = call => {
  call.on('data', (message: Buffer) => call.write(message));
  call.on('end', () => call.end());
};

it.each([1, 20])('grpc-client makes calls of %d messages that grpc-js understands', async messages => {
  const target = await grpcServer(echo);
  const result = await program('grpc-client', target, [2, 3, messages, 100, SECONDS]);
  expect(result.failed).toBe(0);
  expect(result.requests).toBeGreaterThan(messages);
});

it('grpc-client counts calls that end early or in error', async () => {
  const target = await grpcServer(call => {
    call.on('data', () => call.end());
  });
  expect((await program('grpc-client', target, [1, 2, 20, 100, SECONDS])).failed).toBe(2);
});

async function tcpServer(answer: (chunk: Buffer) => Buffer) {
  const server: TcpServer = createServer(socket => {
    socket.on('data', (chunk: Buffer) => socket.write(answer(chunk)));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

it('echo-client counts messages that came back', async () => {
  const target = await tcpServer(chunk => chunk);
  const result = await program('echo-client', target, [2, 65_536, SECONDS]);
  expect(result.failed).toBe(0);
  expect(result.requests).toBeGreaterThan(2);
});

it('echo-client notices a byte that differs', async () => {
  const target = await tcpServer(chunk => {
    chunk[chunk.length - 1] ^= 1;
    return chunk;
  });
  const result = await program('echo-client', target, [2, 65_536, SECONDS]);
  expect(result).toMatchObject({ requests: 0, failed: 2 });
});
