import { describe, expect, test } from 'vitest';
import { httpApp, TcpClient, tcpApp } from '../apps.ts';
import { reach, ways } from '../ways.ts';

describe.each(ways)('HTTP/1.0 clients, %s', way => {
  test('get an answer without chunks, and the end of the connection as its end', async () => {
    const app = await httpApp((req, res) => {
      res.write(`${req.httpVersion} ${req.headers.host} `);
      res.end('end');
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.0\r\nhost: orders\r\n\r\n');
    await client.until(({ ended }) => ended);
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(client.text).not.toMatch(/transfer-encoding/i);
    expect(client.text).toMatch(/\r\nconnection: close\r\n/);
    expect(client.text.endsWith('\r\n\r\n1.1 orders end')).toBe(true);
  });

  test('keep the connection if they ask for it and the length is known', async () => {
    const app = await httpApp((req, res) => res.setHeader('content-length', 2).end(req.url));
    const client = new TcpClient(await reach(way, app));
    const request = (path: string) =>
      client.socket.write(`GET ${path} HTTP/1.0\r\nhost: orders\r\nconnection: keep-alive\r\n\r\n`);
    request('/1');
    await client.until(({ text }) => text.endsWith('\r\n\r\n/1'));
    expect(client.text).toMatch(/\r\nconnection: keep-alive\r\n/);
    request('/2');
    await client.until(({ text }) => text.endsWith('\r\n\r\n/2'));
  });

  test('need not name a host', async () => {
    const app = await httpApp((req, res) => res.end(`host "${req.headers.host}"`));
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.0\r\n\r\n');
    await client.until(({ ended }) => ended);
    // The sidecar of the client knows where the connection was going, and says so.
    expect(client.text.split('\r\n\r\n')[1]).toBe(way === 'inbound' ? 'host ""' : 'host "orders"');
  });

  test('get no informational answers', async () => {
    const app = await httpApp((_req, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      res.end('done');
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.0\r\nhost: orders\r\n\r\n');
    await client.until(({ ended }) => ended);
    expect(client.text).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe.each(ways)('HTTP/1.0 servers, %s', way => {
  test('may end their answer with the connection', async () => {
    const app = await tcpApp(socket =>
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\nx-a: b\r\n\r\nhello')),
    );
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await client.until(({ text }) => text.includes('hello'));
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(client.text).toContain('x-a: b\r\n');
    // The client of HTTP/1.1 keeps its connection, so that the end is in the chunks.
    await client.until(({ text }) => text.endsWith('\r\n0\r\n\r\n'));
  });

  test('that break the connection have not ended their answer', async () => {
    const app = await tcpApp(socket =>
      socket.once('data', () =>
        socket.write('HTTP/1.0 200 OK\r\n\r\nhalf', () => setTimeout(() => socket.resetAndDestroy(), 20)),
      ),
    );
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await client.until(({ ended, closed }) => ended || closed);
    expect(client.text).toContain('half');
    expect(client.text).not.toContain('\r\n0\r\n\r\n');
  });

  test('that keep the connection are used again', async () => {
    let connections = 0;
    const app = await tcpApp(socket => {
      connections++;
      socket.on('data', () =>
        socket.write('HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok'),
      );
    });
    const client = new TcpClient(await reach(way, app));
    for (let i = 1; i <= 3; i++) {
      client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
      await client.until(({ text }) => text.split('\r\n\r\nok').length === i + 1);
    }
    expect(connections).toBe(1);
  });
});
