/** TLS that an application serves itself, as the connection meets it: alone, and behind a sidecar. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import { connect } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { BackendTlsConfig, ClusterConfig } from '../../../proxy/cluster/cluster-config.ts';
import { createServerAuthority } from '../server-authority.ts';
import { call, closedPort, eventually, listen, onEnd, TcpClient, tcpApp } from './apps.ts';
import { cluster, endpoint, forward, SERVER_ID, type TestMesh, testMesh } from './mesh.ts';

const authority = createServerAuthority();
const backendTls: BackendTlsConfig = {
  kind: 'verified',
  serverName: 'orders.test',
  names: [{ kind: 'dns', match: { kind: 'exact', value: 'orders.test' } }],
  authorities: authority.pem,
  clientTls: false,
};

/** Where the application is called: itself, or its sidecar. */
async function servedAt(mesh: TestMesh, meshed: boolean, application: number) {
  if (!meshed) return endpoint(application);
  const { port } = await mesh.server(application, { protocol: 'opaque' });
  return endpoint(port, { identity: SERVER_ID });
}

async function orders(
  meshed: boolean,
  application: number,
  options: Partial<ClusterConfig> = {},
  opaque = false,
) {
  const mesh = testMesh();
  const at = await servedAt(mesh, meshed, application);
  const made = cluster('orders', [at], { backendTls, ...options });
  return mesh.orders(
    [made],
    opaque ? { protocol: 'opaque', routes: null } : { routes: [forward(['orders'])] },
  );
}

async function failure(
  meshed: boolean,
  application: number,
  options: Partial<ClusterConfig> = {},
): Promise<string> {
  const client = await orders(meshed, application, options);
  const { status, headers } = await call(client.port);
  return `${status} ${String(headers['tulle-error']).split(';')[0]}`;
}

describe.each([
  ['alone', false],
  ['behind a sidecar', true],
])('an application with TLS, %s', (_where, meshed) => {
  test('that is not there has refused the connection, and one that says nothing is too late', async () => {
    expect(await failure(meshed, await closedPort())).toBe('503 CONNECT_FAILED');
    const silent = await tcpApp(() => {});
    expect(await failure(meshed, silent, { connectTimeoutMs: 300 })).toBe('503 CONNECT_TIMEOUT');
  });

  test('that speaks plaintext, or refuses the name, is told as that', async () => {
    const plain = await tcpApp(socket => {
      socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    });
    expect(await failure(meshed, plain)).toBe('503 BACKEND_TLS');
    const picky = createTlsServer({
      ...authority.issue(['orders.test']),
      SNICallback: (name, done) => done(new Error(`unknown name ${name}`)),
    });
    picky.on('tlsClientError', () => {});
    onEnd(() => picky.close());
    expect(await failure(meshed, await listen(picky))).toBe('503 BACKEND_TLS');
  });

  test('has requests on one connection, megabytes both ways, and no field of the mesh', async () => {
    const sockets = new Set<unknown>();
    const names: string[] = [];
    const server = createServer(authority.issue(['orders.test']), (request, response) => {
      sockets.add(request.socket);
      names.push(String((request.socket as TLSSocket).servername));
      const tulle = Object.keys(request.headers).filter(name =>
        /^(tulle-|x-forwarded-client-cert)/.test(name),
      );
      // Nobody but a sidecar may say what a sidecar says.
      response.setHeader('tulle-error', 'CONNECT_FAILED; a lie');
      response.setHeader('x-seen', tulle.join());
      request.pipe(response);
    });
    onEnd(() => {
      server.close();
      server.closeAllConnections();
    });
    const client = await orders(meshed, await listen(server));
    const body = Buffer.alloc(3_000_000, 'abcdefg');
    for (let i = 0; i < 3; i++) {
      const answer = await call(client.port, { method: 'POST', body });
      expect([answer.status, answer.headers['x-seen'], answer.body === body.toString()]).toEqual([
        200,
        '',
        true,
      ]);
    }
    expect([sockets.size, new Set(names)]).toEqual([1, new Set(['orders.test'])]);
  });

  test('has bytes with FIN in each direction, and ends when the application does', async () => {
    const ends: string[] = [];
    const server = createTlsServer({ ...authority.issue(['orders.test']), allowHalfOpen: true }, socket => {
      socket.on('error', () => {});
      socket.on('data', bytes => {
        if (String(bytes) === 'reset') socket.destroy();
        else ends.push(String(bytes));
      });
      socket.on('end', () => socket.end('after the end'));
    });
    onEnd(() => server.close());
    const client = await orders(meshed, await listen(server), {}, true);
    const half = new TcpClient(client.port);
    half.socket.end('hello');
    await half.until(({ ended }) => ended);
    expect([String(half.received), ends.join('')]).toEqual(['after the end', 'hello']);
    const cut = connect(client.port, '127.0.0.1');
    onEnd(() => cut.destroy());
    cut.on('error', () => {});
    cut.resume();
    cut.write('reset');
    await once(cut, 'close');
  });

  test('is not called if the policy is invalid', async () => {
    let connections = 0;
    const application = await tcpApp(() => connections++);
    const refused = { backendTls: { kind: 'refused', clientTls: false } } as const;
    expect(await failure(meshed, application, refused)).toBe('503 BACKEND_TLS_POLICY');
    const client = await orders(meshed, application, refused, true);
    const bytes = new TcpClient(client.port);
    await bytes.until(({ closed }) => closed);
    expect([connections, bytes.received.length]).toEqual([0, 0]);
  });

  test('has new connections when the policy changes, and requests under way stay on theirs', async () => {
    const sockets = new Set<TLSSocket>();
    let hold = (): void => {};
    const server = createServer(authority.issue(['orders.test', 'new.test']), (request, response) => {
      sockets.add(request.socket as TLSSocket);
      if (request.url === '/held') hold = () => void response.end('held');
      else response.end(String((request.socket as TLSSocket).servername));
    });
    onEnd(() => {
      server.close();
      server.closeAllConnections();
    });
    const mesh = testMesh();
    const made = cluster('orders', [await servedAt(mesh, meshed, await listen(server))], { backendTls });
    const client = await mesh.orders([made], { routes: [forward(['orders'])] });
    const held = call(client.port, { path: '/held' });
    await eventually(() => sockets.size === 1);
    const renamed = { ...backendTls, serverName: 'new.test' };
    made.update({ ...made.config, version: '2', backendTls: renamed });
    expect((await call(client.port)).body).toBe('new.test');
    hold();
    expect((await held).body).toBe('held');
    const [old] = sockets;
    await eventually(() => old.destroyed);
    expect((await call(client.port)).body).toBe('new.test');
    expect(sockets.size).toBe(2);
  });
});
