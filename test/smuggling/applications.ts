/** Applications that remember every request as they understood it: node:http and nginx. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A request, as an application understood it. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  /** latin1 */
  readonly body: string;
  /** What it was answered. An application that refuses a request, or sees its client leave, says so by 400 or more. */
  readonly status: number;
  /** Everything else that the client had a hand in, for what must not be there. */
  readonly rest: string;
}

export interface RecordingApplication {
  readonly name: string;
  readonly port: number;
  /** All requests, oldest first. */
  seen(): readonly Seen[];
  stop(): void;
}

/** Answers with `METHOD TARGET`, so that a client can tell whose answer it gets. */
export async function nodeApplication(): Promise<RecordingApplication> {
  const seen: Seen[] = [];
  const server: Server = createServer({ keepAliveTimeout: 60_000, requireHostHeader: false });
  const record = (incoming: IncomingMessage, body: string): void => {
    seen.push({
      method: incoming.method ?? '',
      target: incoming.url ?? '',
      host: incoming.headers.host ?? '',
      body,
      status: 200,
      rest: JSON.stringify([incoming.rawHeaders, incoming.rawTrailers]),
    });
  };
  server.on('request', (incoming, response) => {
    const answer = (): void => {
      const text = `${incoming.method} ${incoming.url}`;
      response.setHeader('content-length', text.length);
      response.end(text, 'latin1');
    };
    if (incoming.url === '/early') answer();
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      if (!incoming.complete) return;
      record(incoming, Buffer.concat(chunks).toString('latin1'));
      if (incoming.url !== '/early') answer();
    });
    incoming.on('error', () => {});
  });
  server.on('connect', (incoming: IncomingMessage, socket) => {
    record(incoming, '');
    socket.end('HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    name: 'node:http',
    port: (server.address() as AddressInfo).port,
    seen: () => seen,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Why nginx cannot be tested with here; '' if it can. */
export function nginxMissing(): string {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return '';
  } catch {
    return 'nginx is not installed (apt-get install nginx-light)';
  }
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** nginx reads bodies only for who wants them, so it passes each request on to itself. */
function nginxConfiguration(folder: string, port: number): string {
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 512; }
http {
  log_format seen escape=json '{"method":"$request_method","target":"$request_uri","host":"$http_host","body":"$request_body","rest":"$http_x_forwarded_client_cert $http_tulle_source $http_tulle_version $http_x_secret $request","status":$status}';
  access_log ${folder}/access.log seen;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  client_body_buffer_size 256k;
  client_body_in_single_buffer on;
  large_client_header_buffers 4 64k;
  keepalive_requests 100000;
  upstream itself { server unix:${folder}/itself.sock; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://itself; proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header X-Text "$request_method $request_uri"; }
  }
  server {
    listen unix:${folder}/itself.sock;
    access_log off;
    location / { default_type text/plain; return 200 $http_x_text; }
  }
}
`;
}

export async function nginxApplication(): Promise<RecordingApplication> {
  const folder = mkdtempSync(join(tmpdir(), 'tulle-nginx-'));
  // Started by root, its workers are somebody else.
  chmodSync(folder, 0o755);
  for (;;) {
    const port = await freePort();
    writeFileSync(join(folder, 'nginx.conf'), nginxConfiguration(folder, port));
    const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
    let exited = false;
    child.on('exit', () => {
      exited = true;
    });
    while (!exited && !(await accepts(port))) await new Promise(resolve => setTimeout(resolve, 20));
    // Somebody else has taken the port meanwhile.
    if (exited) continue;
    return {
      name: 'nginx',
      port,
      seen: () => readLog(join(folder, 'access.log')),
      stop() {
        child.kill();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }
}

function readLog(file: string): Seen[] {
  // What follows the last line break is a line that is being written.
  return readFileSync(file, 'latin1')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Seen);
}
