import { createServer } from 'node:http';
import { describe, expect, test } from 'vitest';
import { eventually, listen, onEnd, TcpClient, tcpApp } from '../apps.ts';
import { reach, ways } from '../ways.ts';

const EXPECTING =
  'POST / HTTP/1.1\r\nhost: orders\r\nexpect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n';

describe.each(ways)('Expect: 100-continue, %s', way => {
  test('reaches the application before the body, and its 100 the client', async () => {
    let head = '';
    let body = '';
    const app = await tcpApp(socket => {
      socket.once('data', first => {
        head = first.toString();
        // Whoever sent it did not wait for us.
        body = head.slice(head.indexOf('\r\n\r\n') + 4);
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        socket.on('data', chunk => {
          body += chunk;
          if (body.length === 5) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        });
      });
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write(EXPECTING);
    await client.until(({ text }) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    expect(head).toMatch(/\r\nexpect: 100-continue\r\n/);
    expect(body).toBe('');
    client.socket.write('hello');
    await client.until(({ ended }) => ended);
    expect(client.text).toMatch(/\r\n\r\nok$/);
    expect(body).toBe('hello');
  });

  test('a refusal in its place reaches the client, which need not send the body', async () => {
    const server = createServer(() => {});
    server.on('checkContinue', (_req, res) => res.writeHead(417, { 'content-length': 2 }).end('no'));
    onEnd(() => server.closeAllConnections());
    const client = new TcpClient(await reach(way, await listen(server)));
    client.socket.write(EXPECTING);
    await client.until(({ ended }) => ended);
    expect(client.text).toMatch(/^HTTP\/1\.1 417 /);
    expect(client.text).toMatch(/\r\nconnection: close\r\n/);
    expect(client.text).toMatch(/\r\n\r\nno$/);
  });

  test('a body that is sent without waiting arrives', async () => {
    let body = '';
    const server = createServer((req, res) => {
      req.on('data', chunk => (body += chunk));
      req.on('end', () => res.end('ok'));
    });
    onEnd(() => server.closeAllConnections());
    const client = new TcpClient(await reach(way, await listen(server)));
    client.socket.write(`${EXPECTING}hello`);
    await client.until(({ ended }) => ended);
    expect(body).toBe('hello');
  });
});

describe.each(ways)('informational answers, %s', way => {
  test('pass one by one, with their fields, before the answer', async () => {
    let more: () => void = () => {};
    const app = await tcpApp(socket =>
      socket.once('data', () => {
        socket.write(
          'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n',
        );
        more = () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      }),
    );
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n');
    const early =
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n';
    await client.until(({ text }) => text === early);
    more();
    await client.until(({ ended }) => ended);
    expect(client.text.slice(early.length)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/);
  });

  test('a flood of them ends the request, not the sidecar', async () => {
    const app = await tcpApp(socket =>
      socket.once('data', () => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000))),
    );
    const port = await reach(way, app);
    const client = new TcpClient(port);
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n');
    await client.until(({ ended }) => ended);
    expect(client.text.match(/ 100 Continue/g)?.length ?? 0).toBeLessThanOrEqual(16);
    expect(client.text).toMatch(/HTTP\/1\.1 502 /);
  });

  test('a 101 that nobody asked for is no answer', async () => {
    const app = await tcpApp(socket =>
      socket.once('data', () =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nraw'),
      ),
    );
    const client = new TcpClient(await reach(way, app));
    client.socket.write('GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n');
    await client.until(({ ended }) => ended);
    expect(client.text).toMatch(/^HTTP\/1\.1 502 /);
    await eventually(() => client.ended);
  });
});
