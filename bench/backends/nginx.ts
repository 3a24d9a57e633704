/** nginx as the backend: 100 bytes from memory for any path, and files of fixed sizes from the page cache. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listening, type Running, start } from '../process.ts';
import type { Listen } from './backend.ts';

const BODY = 'x'.repeat(100);
/** Bytes by name of the path. */
const FILES = { '64k': 65_536, '1m': 1_048_576 } as const;

const configuration = (folder: string, listens: readonly Listen[]): string => `daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 20000; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=10;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  http2_max_concurrent_streams 1000;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    ${listens.map(({ host, port, protocol }) => `listen ${host}:${port}${protocol === 'http2' ? ' http2' : ''} backlog=1024;`).join('\n    ')}
    location / { default_type text/plain; return 200 "${BODY}"; }
    ${Object.keys(FILES)
      .map(name => `location = /${name} { root ${folder}; }`)
      .join('\n    ')}
  }
}
`;

export async function startNginx(folder: string, listens: readonly Listen[]): Promise<Running> {
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(join(folder, name), 'x'.repeat(bytes));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, listens));
  const running = start('nginx', ['-c', file, '-p', folder], join(folder, 'nginx.log'));
  for (const { host, port } of listens) await listening(host, port);
  return running;
}
