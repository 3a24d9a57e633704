/** Applications that answer what no application should: their callers get an error, their neighbours get their own answers. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { call, eventually, httpApp, onEnd, tcpApp } from '../integration/proxy/apps.ts';
import { cluster, endpoint, SERVER_ID, type Sidecar, testMesh } from '../integration/proxy/mesh.ts';
import { say } from '../smuggling/client.ts';

const LONG = 'x'.repeat(4096);
const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

interface HostileAnswer {
  readonly name: string;
  /** Said to every request. */
  readonly answer: string;
  /** Said again and again after it, until the connection ends. */
  readonly endless?: string;
  /** The application closes the connection after it. */
  readonly closes?: true;
  /** What the client gets; `cut`: the beginning of the answer and then the end of the connection without the end of it. */
  readonly gets: number | 'cut';
  /** Under which name one of the sidecars counts it; '' for none. */
  readonly counted: string;
}

const ANSWERS: readonly HostileAnswer[] = [
  {
    name: '1xx without end',
    answer: '',
    endless: 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n',
    gets: 502,
    counted: 'maxInformational',
  },
  {
    name: '100 without end',
    answer: '',
    endless: 'HTTP/1.1 100 Continue\r\n\r\n',
    gets: 502,
    counted: 'maxInformational',
  },
  {
    name: 'a header section without end',
    answer: OK,
    endless: `X: ${LONG}\r\n`,
    gets: 502,
    counted: 'maxHeadBytes',
  },
  { name: 'a field without end', answer: `${OK}X: `, endless: LONG, gets: 502, counted: 'maxHeadBytes' },
  {
    name: 'a status line without end',
    answer: 'HTTP/1.1 200 ',
    endless: LONG,
    gets: 502,
    counted: 'maxStartLineBytes',
  },
  { name: 'many fields', answer: `${OK}${'x:\r\n'.repeat(500)}\r\n`, gets: 502, counted: 'maxFieldCount' },
  { name: 'another protocol', answer: 'SSH-2.0-OpenSSH_9\r\n', gets: 502, counted: 'version' },
  { name: 'HTTP/0.9', answer: '<html></html>', closes: true, gets: 502, counted: 'version' },
  {
    name: 'two lengths',
    answer: `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
    gets: 502,
    counted: 'contentLengthSeveral',
  },
  {
    name: 'a length and chunks',
    answer: `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    gets: 502,
    counted: 'lengthAndEncoding',
  },
  {
    name: 'an unknown coding',
    answer: `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    gets: 502,
    counted: 'transferEncoding',
  },
  {
    name: 'a folded field',
    answer: `${OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`,
    gets: 502,
    counted: 'obsFold',
  },
  {
    name: 'a switch that nobody asked for',
    answer: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    gets: 502,
    counted: 'unaskedUpgrade',
  },
  {
    name: 'a status beyond 599',
    answer: 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
    gets: 502,
    counted: 'statusLine',
  },
  {
    name: 'half a body',
    answer: `${OK}Content-Length: 100\r\n\r\nhalf`,
    closes: true,
    gets: 'cut',
    counted: '',
  },
  {
    name: 'chunks without the last',
    answer: `${CHUNKED}4\r\nhalf\r\n`,
    closes: true,
    gets: 'cut',
    counted: '',
  },
  {
    name: 'a chunk size that is none',
    answer: `${CHUNKED}4\r\nhalf\r\nxyz\r\n`,
    gets: 'cut',
    counted: 'chunkSize',
  },
  {
    name: 'a chunk extension without end',
    answer: `${CHUNKED}4\r\nhalf\r\n4;`,
    endless: LONG,
    gets: 'cut',
    counted: 'maxChunkExtensionBytes',
  },
  {
    name: 'trailers without end',
    answer: `${CHUNKED}4\r\nhalf\r\n0\r\n`,
    endless: `X: ${LONG}\r\n`,
    gets: 'cut',
    counted: 'maxTrailerBytes',
  },
];

function hostile({ answer, endless, closes }: HostileAnswer): (socket: Socket) => void {
  return socket => {
    socket.on('data', () => {
      socket.write(answer, 'latin1');
      if (closes) socket.end();
      if (endless === undefined) return;
      const more = (): void => {
        while (!socket.destroyed && socket.write(endless));
      };
      socket.on('drain', more);
      more();
    });
    socket.on('end', () => socket.end());
  };
}

function counted(...sidecars: Sidecar[]): string[] {
  return sidecars.flatMap(({ metrics }) => {
    const readings = metrics.readings();
    const all = [...(readings.get('limits') ?? []), ...(readings.get('protocolErrors') ?? [])];
    return all.map(({ labels }) => labels['limit'] ?? labels['error']);
  });
}

test.each(ANSWERS)('$name', async hostileAnswer => {
  const mesh = testMesh();
  const server = await mesh.server(await tcpApp(hostile(hostileAnswer)), { protocol: 'http' });
  const client = await mesh.orders([cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])]);
  const received = await say(
    client.port,
    'GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n',
    false,
  );
  const final = received.replace(/^(HTTP\/1\.1 1\d\d [^\r]*\r\n([^\r]+\r\n)*\r\n)*/, '');
  if (hostileAnswer.gets === 'cut') {
    expect(final).toMatch(/^HTTP\/1\.1 200 /);
    expect(final).not.toMatch(/\r\n0\r\n\r\n$/);
    const length = /content-length: (\d+)/.exec(final);
    if (length !== null) expect(final.length - final.indexOf('\r\n\r\n') - 4).toBeLessThan(Number(length[1]));
  } else {
    expect(final).toMatch(
      new RegExp(`^HTTP/1\\.1 ${hostileAnswer.gets} [^\\r]*\\r\\ntulle-error: UPSTREAM_`),
    );
  }
  if (hostileAnswer.counted !== '') expect(counted(server, client)).toContain(hostileAnswer.counted);
  expect(received.match(/HTTP\/1\.1 1\d\d/g)?.length ?? 0).toBeLessThanOrEqual(16);
});

test('an answer that nobody asked for is nobody’s', async () => {
  const mesh = testMesh();
  const poison = `${OK}Content-Length: 6\r\n\r\npoison`;
  const server = await mesh.server(
    await tcpApp(socket => {
      let requests = 0;
      socket.on('data', () => {
        const own = `own ${++requests}`;
        socket.write(`${OK}Content-Length: ${own.length}\r\n\r\n${own}${poison}`);
      });
      socket.on('end', () => socket.end());
    }),
    { protocol: 'http' },
  );
  const client = await mesh.orders([cluster('orders', [endpoint(server.port, { identity: SERVER_ID })])]);
  for (let i = 0; i < 10; i++) expect((await call(client.port)).body).toBe('own 1');
  expect(counted(server)).toContain('unexpectedBytes');
});

test('at the limit of connections new ones are closed, and those that are open go on', async () => {
  const mesh = testMesh();
  mesh.limits = new Map([['maxConnections', 5]]);
  const app = await httpApp((_request, response) => response.end('served'));
  const server = await mesh.server(app, { protocol: 'http' });
  const open = (): Promise<Socket> =>
    new Promise(resolve => {
      const socket = connect(server.port, '127.0.0.1', () => resolve(socket));
      // Who does not read does not see the end.
      socket.resume();
      socket.on('error', () => {});
      // A reset that comes at once comes in place of the connection.
      socket.on('close', () => resolve(socket));
      onEnd(() => socket.destroy());
    });
  const kept: Socket[] = [];
  for (let i = 0; i < 5; i++) kept.push(await open());
  await eventually(() => server.stack.statistics.connections === 5);
  for (let i = 0; i < 20; i++) {
    const refused = await open();
    if (!refused.closed) await once(refused, 'close');
  }
  expect(counted(server)).toEqual(['maxConnections']);
  kept[0].write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const [answer] = (await once(kept[0], 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  for (const socket of kept) socket.destroy();
  await eventually(() => server.stack.statistics.connections === 0);
  expect((await call(server.port)).body).toBe('served');
});

test('a TLS handshake that is never ended is cut off in all, however often a little is said', async () => {
  const mesh = testMesh();
  mesh.pace = 10;
  const app = await httpApp((_request, response) => response.end('served'));
  const server = await mesh.server(app, { protocol: 'http' });
  const hello = await clientHello();
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  onEnd(() => socket.destroy());
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  socket.on('data', () => {});
  socket.write(hello);
  await once(socket, 'data');
  // A record of the handshake is announced, and comes octet by octet.
  socket.write(Buffer.from([20, 3, 3, 0x40, 0]));
  while (!closed) {
    socket.write('x');
    mesh.ahead += 1000;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  expect(counted(server)).toEqual(['handshakeTimeoutMs']);
});

/** The first bytes of a TLS client of the mesh. */
async function clientHello(): Promise<Buffer> {
  let first: Buffer | null = null;
  const port = await tcpApp(socket => {
    socket.on('data', (bytes: Buffer) => {
      first ??= bytes;
      socket.destroy();
    });
  });
  const socket = connectTls({ host: '127.0.0.1', port, ALPNProtocols: ['tulle-h2'], minVersion: 'TLSv1.3' });
  socket.on('error', () => {});
  await eventually(() => first !== null);
  return first as unknown as Buffer;
}
