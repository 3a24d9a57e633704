import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { call, httpApp, TcpClient, tcpApp } from '../apps.ts';
import { reach, ways } from '../ways.ts';

describe.each(ways)('messages of HTTP/1.1, %s', way => {
  test('chunk extensions and trailers: the data and the trailers arrive, the extensions are of this hop', async () => {
    const app = await httpApp((req, res) => {
      let body = '';
      req.on('data', chunk => (body += chunk));
      req.on('end', () => res.end(JSON.stringify([body, req.trailers, req.headers['trailer']])));
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write(
      'POST / HTTP/1.1\r\nhost: orders\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nconnection: close\r\n\r\n' +
        '3;a=b;c\r\nabc\r\n2;q="x;\\"y"\r\nde\r\n0;last\r\nx-sum: 5\r\nX-Two: a, b\r\nx-two: c\r\n\r\n',
    );
    await client.until(({ ended }) => ended);
    const answer = client.text.slice(client.text.indexOf('['), client.text.lastIndexOf(']') + 1);
    expect(JSON.parse(answer)).toEqual(['abcde', { 'x-sum': '5', 'x-two': 'a, b, c' }, 'x-sum']);
  });

  test('trailers of an answer arrive after its body', async () => {
    const app = await tcpApp(socket =>
      socket.once('data', () =>
        socket.write(
          'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n4;e=1\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n',
        ),
      ),
    );
    const answer = await call(await reach(way, app));
    expect([answer.body, answer.trailers, answer.headers['trailer']]).toEqual([
      'body',
      { 'x-sum': '7' },
      'x-sum',
    ]);
  });

  test('HEAD has the fields of GET and no body, whatever they announce', async () => {
    const app = await httpApp((req, res) => {
      if (req.url === '/length') res.setHeader('content-length', 1000);
      else res.setHeader('transfer-encoding', 'chunked');
      res.end();
    });
    const client = new TcpClient(await reach(way, app));
    for (const path of ['/length', '/chunked']) {
      client.socket.write(`HEAD ${path} HTTP/1.1\r\nhost: orders\r\n\r\n`);
    }
    client.socket.write('GET /chunked HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n');
    await client.until(({ ended }) => ended);
    expect(client.text.match(/HTTP\/1\.1 200 OK\r\n/g)?.length).toBe(3);
    expect(client.text).toContain('content-length: 1000\r\n');
  });

  test('pipelined requests with bodies are answered in order, whatever the answers take', async () => {
    const app = await httpApp((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () =>
        setTimeout(() => res.end(`<${Buffer.concat(chunks).toString()}>`), Number(req.url?.slice(1))),
      );
    });
    const client = new TcpClient(await reach(way, app));
    const delays = [30, 0, 20, 0, 10, 0];
    client.socket.write(
      delays
        .map((ms, i) =>
          i % 2 === 0
            ? `POST /${ms} HTTP/1.1\r\nhost: orders\r\ncontent-length: 2\r\n\r\nb${i}`
            : `POST /${ms} HTTP/1.1\r\nhost: orders\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb\r\n1\r\n${i}\r\n0\r\n\r\n`,
        )
        .join(''),
    );
    await client.until(({ text }) => text.includes('<b5>'));
    expect(client.text.match(/<b\d>/g)).toEqual(delays.map((_ms, i) => `<b${i}>`));
  });

  test('a large body is the same on the other side, with a length and in chunks', async () => {
    const app = await httpApp((req, res) => void req.pipe(res));
    const port = await reach(way, app);
    const body = randomBytes(8_000_000);
    const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    for (const headers of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }]) {
      const echoed = await new Promise<Buffer>((resolve, reject) => {
        const sent = request(
          { host: '127.0.0.1', port, method: 'POST', headers: { host: 'orders', ...headers }, agent: false },
          res => {
            const chunks: Buffer[] = [];
            res.on('data', (chunk: Buffer) => chunks.push(chunk));
            res.on('end', () => resolve(Buffer.concat(chunks)));
            res.on('error', reject);
          },
        );
        sent.on('error', reject);
        sent.end(body);
      });
      expect(sha(echoed)).toBe(sha(body));
    }
  });
});
