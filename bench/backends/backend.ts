/** The service behind every proxy: nginx for HTTP, a small program of our own for what nginx does not serve. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { backend } from '../addresses.ts';
import { expectFree, listening, type Running, start } from '../process.ts';
import { startNginx } from './nginx.ts';

export interface Listen {
  host: string;
  port: number;
  protocol: 'http1' | 'http2' | 'echo' | 'grpc';
}

/** What proxies forward to. */
export const backendListens: readonly Listen[] = [
  { host: backend.host, port: backend.http1, protocol: 'http1' },
  { host: backend.host, port: backend.http2, protocol: 'http2' },
  { host: backend.host, port: backend.echo, protocol: 'echo' },
  { host: backend.host, port: backend.grpc, protocol: 'grpc' },
];

async function startProgram(folder: string, { host, port, protocol }: Listen): Promise<Running> {
  const program = join(import.meta.dirname, `${protocol}-server.ts`);
  const running = start(process.execPath, [program, host, String(port)], join(folder, `${protocol}.log`));
  await listening(host, port);
  return running;
}

/** One nginx for all HTTP listeners, one process for each other. */
export async function startBackend(folder: string, listens: readonly Listen[]): Promise<Running[]> {
  mkdirSync(folder, { recursive: true });
  for (const { host, port } of listens) await expectFree(host, port);
  const http = listens.filter(({ protocol }) => protocol === 'http1' || protocol === 'http2');
  const others = listens.filter(listen => !http.includes(listen));
  return Promise.all([
    ...(http.length === 0 ? [] : [startNginx(folder, http)]),
    ...others.map(listen => startProgram(folder, listen)),
  ]);
}
