/**
 * nginx as the backend: 100 bytes from memory for any path, files of fixed sizes from the page cache, and /upload, which
 * reads all of a body before it answers.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listening, type Running, start } from '../process.ts';
import type { Listen } from './backend.ts';

const BODY = 'x'.repeat(100);
/** Bytes by name of the path. */
const FILES = { '64k': 65_536, '1m': 1_048_576 } as const;

/** nginx reads a body only for somebody: here for itself, whom it then asks without one. */
function upload({ host, port }: Listen): { upstream: string; location: string } {
  return {
    upstream: `upstream self { server ${host}:${port}; keepalive 128; keepalive_requests 1000000000; }`,
    location: `location = /upload {
      client_body_buffer_size 128k; proxy_pass_request_body off; proxy_method GET;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Content-Length "";
      proxy_pass http://self/;
    }`,
  };
}

const configuration = (folder: string, listens: readonly Listen[]): string => {
  const http1 = listens.find(({ protocol }) => protocol === 'http1');
  const reading = http1 === undefined ? { upstream: '', location: '' } : upload(http1);
  return `daemon off;
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
  ${reading.upstream}
  server {
    ${listens.map(({ host, port, protocol }) => `listen ${host}:${port}${protocol === 'http2' ? ' http2' : ''} backlog=1024;`).join('\n    ')}
    location / { default_type text/plain; return 200 "${BODY}"; }
    ${Object.keys(FILES)
      .map(name => `location = /${name} { root ${folder}; }`)
      .join('\n    ')}
    ${reading.location}
  }
}
`;
};

export async function startNginx(folder: string, listens: readonly Listen[]): Promise<Running> {
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(join(folder, name), 'x'.repeat(bytes));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, listens));
  const running = start('nginx', ['-c', file, '-p', folder], join(folder, 'nginx.log'));
  for (const { host, port } of listens) await listening(host, port);
  return running;
}
