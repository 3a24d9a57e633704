import type { AddressInfo } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { serveGrpcEcho } from './grpc-server.ts';

const bytes = (value: Buffer): Buffer => value;

async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const server = await serveGrpcEcho('127.0.0.1', 0);
  const { port } = server.address() as AddressInfo;
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    return await use(client);
  } finally {
    client.close();
    server.close();
  }
}

it('answers a unary call of grpc-js with its message', async () => {
  const answer = await withClient(
    client =>
      new Promise<Buffer | undefined>((resolve, reject) => {
        client.makeUnaryRequest('/a.B/C', bytes, bytes, Buffer.from('hello'), (error, message) =>
          error === null ? resolve(message) : reject(error),
        );
      }),
  );
  expect(answer?.toString()).toBe('hello');
});

it('answers each message of a stream, and ends it with OK', async () => {
  const messages = Array.from({ length: 300 }, (_, i) => `message ${i}`.repeat(i));
  const answers: string[] = [];
  const status = await withClient(
    client =>
      new Promise<number>((resolve, reject) => {
        const call = client.makeBidiStreamRequest('/a.B/C', bytes, bytes);
        call.on('data', (message: Buffer) => answers.push(message.toString()));
        call.on('status', ({ code }) => resolve(code));
        call.on('error', reject);
        for (const message of messages) call.write(Buffer.from(message));
        call.end();
      }),
  );
  expect(status).toBe(0);
  expect(answers).toEqual(messages);
});
