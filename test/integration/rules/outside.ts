/** Applications outside of the mesh that serve TLS, as endpoints of Service `outside`, and ways to call them. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { Client, credentials, Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { ports } from '../../../api/ports.ts';
import { freePort } from '../../third-party/envoy-process.ts';

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Outside {
  /** Service and EndpointSlice. Ports: 80 node:https, 81 nginx, 82 gRPC, 83 TLS of bytes, declared as tcp, 84 and 85 the
   * same with a certificate of its own, declared as https and not at all. */
  readonly manifests: string;
  /** Why port 81 is not served, or ''. */
  readonly withoutNginx: string;
  stop(): void;
}

const path = '/test.Echo/Echo';
const identity = (bytes: Buffer): Buffer => bytes;

export async function startOutside(certificate: Certificate, own: Certificate): Promise<Outside> {
  const closers: (() => void)[] = [];
  const listen = async (server: Server): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => void server.close());
    return (server.address() as AddressInfo).port;
  };
  const answering = createHttpsServer(certificate, (_request, response) => void response.end('node'));
  answering.on('upgrade', (_request, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  const https = await listen(answering);
  const bytes = await listen(speakingFirst(certificate));
  const secret = await listen(speakingFirst(own));
  const grpc = await startGrpc(certificate, closers);
  const nginx = await startNginx(certificate, closers);
  const served: [name: string, port: number, protocol: string, target: number][] = [
    ['node', 80, 'http', https],
    ['nginx', 81, 'http', nginx.port],
    ['grpc', 82, 'grpc', grpc],
    ['bytes', 83, 'tcp', bytes],
    ['https', 84, 'https', secret],
    ['any', 85, '', secret],
  ];
  return {
    manifests: manifestsOf(served),
    withoutNginx: nginx.missing,
    stop() {
      for (const close of closers) close();
    },
  };
}

function manifestsOf(
  served: readonly [name: string, port: number, protocol: string, target: number][],
): string {
  const declared = served.map(([name, port, appProtocol]) => ({
    name,
    port,
    ...(appProtocol === '' ? {} : { appProtocol }),
  }));
  return `
apiVersion: v1
kind: Service
metadata: { name: outside, namespace: default }
spec: { ports: ${JSON.stringify(declared)} }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: outside, namespace: default, labels: { kubernetes.io/service-name: outside } }
addressType: IPv4
ports: ${JSON.stringify(served.map(([name, , , port]) => ({ name, port, protocol: 'TCP' })))}
endpoints: [{ addresses: [127.0.0.1], conditions: { ready: true } }]`;
}

/** Says at once which name it was called by. */
function speakingFirst(certificate: Certificate): Server {
  return createTlsServer(certificate, socket => {
    socket.on('error', () => {});
    socket.end(`TLS of ${String(socket.servername)}`);
  });
}

async function startGrpc({ cert, key }: Certificate, closers: (() => void)[]): Promise<number> {
  const server = new GrpcServer();
  const method = { path, requestStream: false, responseStream: false } as const;
  const codec = {
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  server.addService(
    { echo: { ...method, ...codec } },
    {
      echo: (call: { request: Buffer }, reply: (error: null, answer: Buffer) => void) =>
        reply(null, call.request),
    },
  );
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  const secure = ServerCredentials.createSsl(null, [pair]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', secure, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  closers.push(() => server.forceShutdown());
  return port;
}

async function startNginx(
  { cert, key }: Certificate,
  closers: (() => void)[],
): Promise<{ port: number; missing: string }> {
  const port = await freePort();
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
  } catch {
    return { port, missing: 'it is not installed' };
  }
  const folder = mkdtempSync(join(tmpdir(), 'tulle-nginx-'));
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events {}
http {
  access_log off;
  ${temporary.map(name => `${name}_temp_path ${folder};`).join(' ')}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
    location / { return 200 nginx; }
  }
}`,
  );
  const nginx = spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: 'ignore',
  });
  closers.push(() => {
    nginx.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const open = () =>
    new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
  await expect.poll(open, { timeout: 20_000, message: 'nginx listens' }).toBe(true);
  return { port, missing: '' };
}

/** A connection to `host:port` through the sidecar, as if it had been redirected. */
export async function tunnel(sidecar: string, authority: string): Promise<Socket> {
  const socket = connect(ports.outbound, sidecar);
  await once(socket, 'connect');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    await once(socket, 'readable');
    // Octet by octet: what follows is the tunnel's.
    for (let octet = socket.read(1); octet !== null; octet = socket.read(1)) {
      head += String(octet);
      if (head.endsWith('\r\n\r\n')) break;
    }
  }
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(head);
  return socket;
}

/** What comes back in a tunnel of an upgrade through the sidecar. */
export async function upgradeEcho(sidecar: string, host: string, text: string): Promise<string> {
  const socket = connect(ports.outbound, sidecar);
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
  let received = '';
  for await (const chunk of socket) {
    const before = received;
    received += String(chunk);
    const end = received.indexOf('\r\n\r\n');
    if (end === -1) continue;
    if (!received.startsWith('HTTP/1.1 101')) break;
    if (!before.includes('\r\n\r\n')) socket.write(text);
    if (received.length >= end + 4 + text.length) return received.slice(end + 4);
  }
  throw new Error(received);
}

/** TLS of the client's own inside of a tunnel. */
export async function clientTls(sidecar: string, authority: string, ca: string): Promise<Socket> {
  const socket = connectTls({ socket: await tunnel(sidecar, authority), ca, servername: 'own.test' });
  await once(socket, 'secureConnect');
  return socket;
}

/** All that comes until the end. */
export async function bytesOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** A gRPC call through the sidecar. */
export async function grpcEcho(sidecar: string, authority: string): Promise<string> {
  const client = new Client(`${sidecar}:${ports.outbound}`, credentials.createInsecure(), {
    'grpc.default_authority': authority,
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      client.makeUnaryRequest(path, identity, identity, Buffer.from('echo'), (error, answer) =>
        error === null ? resolve(String(answer)) : reject(error),
      );
    });
  } finally {
    client.close();
  }
}

/** Status of a GET in HTTP/2 through the sidecar. */
export async function http2Status(sidecar: string, host: string): Promise<number> {
  const session = connectHttp2(`http://${sidecar}:${ports.outbound}`);
  try {
    const stream = session.request({ ':path': '/', ':authority': host });
    const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
    return headers[':status'];
  } finally {
    session.destroy();
  }
}
