/** The service behind every proxy: nginx, which answers 100 bytes from memory. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { backend } from '../addresses.ts';
import { listening, type Running, start } from '../process.ts';

const BODY = 'x'.repeat(100);

export interface Listen {
  host: string;
  port: number;
  http2: boolean;
}

/** The two listeners that proxies forward to. */
export const backendListens: readonly Listen[] = [
  { host: backend.host, port: backend.http1, http2: false },
  { host: backend.host, port: backend.http2, http2: true },
];

export async function startBackend(folder: string, listens: readonly Listen[]): Promise<Running> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nginx.conf');
  const lines = listens.map(
    ({ host, port, http2 }) => `listen ${host}:${port}${http2 ? ' http2' : ''} backlog=1024;`,
  );
  writeFileSync(
    file,
    `daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  http2_max_concurrent_streams 1000;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    ${lines.join('\n    ')}
    location / { default_type text/plain; return 200 "${BODY}"; }
  }
}
`,
  );
  const running = start('nginx', ['-c', file, '-p', folder], join(folder, 'nginx.log'));
  for (const { host, port } of listens) await listening(host, port);
  return running;
}
