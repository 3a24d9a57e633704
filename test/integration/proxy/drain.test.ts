import { createServer } from 'node:http';
import { connect } from 'node:http2';
import { Agent, request } from 'undici';
import { expect, test } from 'vitest';
import { drain } from '../../../proxy/listener/drain.ts';
import { type Clock, systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/log.ts';
import { call, eventually, httpApp, listen, onEnd, TcpClient, tcpApp } from './apps.ts';
import { cluster, drainStack, endpoint, forward, SERVER_ID, testMesh } from './mesh.ts';

/** Requests without a pause over kept connections, until it is stopped. */
class Load {
  sent = 0;
  readonly failures: string[] = [];
  #stopped = false;
  readonly #done: Promise<unknown>;

  constructor(port: number, workers: number) {
    const agent = new Agent({ connections: workers, pipelining: 1 });
    onEnd(() => void agent.destroy());
    this.#done = Promise.all(Array.from({ length: workers }, () => this.#work(agent, port)));
  }

  async #work(agent: Agent, port: number): Promise<void> {
    while (!this.#stopped) {
      try {
        const answer = await request(`http://127.0.0.1:${port}/`, {
          dispatcher: agent,
          method: 'POST',
          body: 'hello',
          headers: { host: 'orders' },
        });
        const body = await answer.body.text();
        if (answer.statusCode !== 200) this.failures.push(`${answer.statusCode} ${body}`);
      } catch (error) {
        this.failures.push(String(error));
      }
      this.sent++;
    }
  }

  async reach(count: number): Promise<void> {
    await eventually(() => this.sent >= count);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

test('a rolling restart of the servers under load loses no request', async () => {
  const mesh = testMesh();
  const app = await httpApp((req, res) => {
    req.resume();
    req.on('end', () => setTimeout(() => res.end('ok'), 2));
  });
  const identity = SERVER_ID;
  let servers = [await mesh.server(app), await mesh.server(app)];
  const orders = cluster(
    'orders',
    servers.map(({ port }) => endpoint(port, { identity })),
  );
  const client = await mesh.orders([orders], { routes: [forward(['orders'])] });
  const load = new Load(client.port, 16);
  for (let i = 0; i < 4; i++) {
    await load.reach(load.sent + 300);
    const fresh = await mesh.server(app);
    const [old, ...rest] = servers;
    servers = [...rest, fresh];
    // The server begins to drain before anybody has heard that it is leaving.
    const drained = drainStack(old.stack, 5000);
    await load.reach(load.sent + 50);
    orders.updateEndpoints({
      name: 'orders',
      version: String(i),
      endpoints: servers.map(({ port }) => endpoint(port, { identity })),
    });
    await drained;
    old.stack.close();
  }
  await load.reach(load.sent + 300);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(orders.endpoints.map(each => each.active)).toEqual([0, 0]);
});

test('draining the client side answers what was sent and closes the connections', async () => {
  const mesh = testMesh();
  const app = await httpApp((_req, res) => void setTimeout(() => res.end('ok'), 50));
  const client = await mesh.orders([cluster('orders', [endpoint(app)])]);
  const tcp = new TcpClient(client.port);
  tcp.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
  await eventually(() => client.stack.statistics.upstreamConnections === 1);
  const drained = drainStack(client.stack, 5000);
  await tcp.until(() => tcp.ended);
  expect(tcp.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(tcp.text.toLowerCase()).toContain('connection: close');
  tcp.socket.end();
  await drained;
  expect(client.stack.statistics.connections).toBe(0);
});

test('an HTTP/2 connection is told to go in two steps, and its streams end', async () => {
  const mesh = testMesh();
  const app = await httpApp((_req, res) => void setTimeout(() => res.end('ok'), 50));
  const client = await mesh.orders([cluster('orders', [endpoint(app)], { protocol: 'http1' })]);
  const session = connect(`http://127.0.0.1:${client.port}`);
  onEnd(() => session.destroy());
  const goaways: number[] = [];
  session.on('goaway', (_code, last) => goaways.push(last));
  const stream = session.request({ ':path': '/', ':authority': 'orders' });
  let body = '';
  stream.on('data', chunk => (body += chunk));
  await eventually(() => client.stack.statistics.upstreamConnections === 1);
  const drained = drainStack(client.stack, 5000);
  await new Promise(resolve => stream.on('end', resolve));
  await drained;
  expect(body).toBe('ok');
  expect(goaways[0]).toBe(2 ** 31 - 1);
});

test('what is on its way in may still call out, however late', async () => {
  const mesh = testMesh();
  let answer = () => {};
  const app = await httpApp((_req, res) => {
    answer = () => res.end('ok');
  });
  const server = await mesh.server(app);
  const other = await mesh.orders([
    cluster('other', [endpoint(await httpApp((_req, res) => res.end('other')))]),
  ]);
  const held = call(server.port);
  await eventually(() => server.stack.statistics.upstreamConnections === 1);
  const stacks = { inbound: server.stack, outbound: other.stack };
  // A clock that runs ten times as fast: the outbound side is quiet for ten seconds.
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() * 10,
    after: (ms, callback) => systemClock.after(ms / 10, callback),
  };
  const drained = drain(clock, createLogger('test', 'fatal'), stacks, 600_000);
  await new Promise(resolve => setTimeout(resolve, 1000));
  expect((await call(other.port)).body).toBe('other');
  answer();
  expect((await held).body).toBe('ok');
  await drained;
});

test('the deadline of a drain cuts off what does not end', async () => {
  const app = await tcpApp(socket => socket.write('x'));
  const client = await testMesh().orders([cluster('orders', [endpoint(app)])], {
    protocol: 'opaque',
    routes: null,
  });
  const tcp = new TcpClient(client.port);
  await tcp.until(() => tcp.text === 'x');
  await drainStack(client.stack, 50);
  await tcp.until(() => tcp.closed);
  expect(tcp.error?.code).toBe('ECONNRESET');
});

test('a removed endpoint finishes its requests and gets no new ones', async () => {
  const mesh = testMesh();
  const names = ['a', 'b'];
  const apps = await Promise.all(
    names.map(async name => {
      const server = createServer((_req, res) => void setTimeout(() => res.end(name), 30));
      onEnd(() => server.close());
      return listen(server);
    }),
  );
  const orders = cluster('orders', [endpoint(apps[0])]);
  const client = await mesh.orders([orders]);
  const tcp = new TcpClient(client.port);
  tcp.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
  await eventually(() => client.stack.statistics.upstreamConnections === 1);
  orders.updateEndpoints({ name: 'orders', version: '2', endpoints: [endpoint(apps[1])] });
  await tcp.until(() => tcp.text.endsWith('a'));
  tcp.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
  await tcp.until(() => tcp.text.endsWith('b'));
  await eventually(() => client.stack.statistics.upstreamConnections === 1);
});
