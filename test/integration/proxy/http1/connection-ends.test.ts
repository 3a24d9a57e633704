import { describe, expect, test } from 'vitest';
import { eventually, httpApp, TcpClient, tcpApp } from '../apps.ts';
import { reach, ways } from '../ways.ts';

describe.each(ways)('the end of a connection, %s', way => {
  test('a client that closes its side after the request still gets the answer', async () => {
    const app = await httpApp((_req, res) => setTimeout(() => res.end('late'), 50));
    const client = new TcpClient(await reach(way, app));
    client.socket.end('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await client.until(({ ended }) => ended);
    expect(client.text).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.text).toContain('late');
  });

  test('a client that closes its side may read an answer that has begun for as long as it lasts', async () => {
    let write: (text: string) => void = () => {};
    let end: () => void = () => {};
    const app = await httpApp((_req, res) => {
      write = text => res.write(text);
      end = () => res.end();
      res.write('one,');
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.end('GET / HTTP/1.1\r\nhost: orders\r\n\r\n');
    await client.until(({ text }) => text.includes('one,'));
    write('two,');
    await client.until(({ text }) => text.includes('two,'));
    end();
    await client.until(({ ended }) => ended);
    expect(client.text.endsWith('0\r\n\r\n')).toBe(true);
  });

  test('requests and answers may go on at the same time', async () => {
    const app = await httpApp((req, res) => {
      res.writeHead(200);
      req.on('data', chunk => res.write(`<${chunk}>`));
      req.on('end', () => res.end('<end>'));
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write('POST / HTTP/1.1\r\nhost: orders\r\ntransfer-encoding: chunked\r\n\r\n');
    for (const word of ['a', 'b', 'c']) {
      client.socket.write(`1\r\n${word}\r\n`);
      await client.until(({ text }) => text.includes(`<${word}>`));
    }
    client.socket.write('0\r\n\r\n');
    await client.until(({ text }) => text.includes('<end>'));
  });

  test('an answer before the end of the request reaches a client that still sends', async () => {
    const app = await tcpApp(socket =>
      socket.once('data', () =>
        socket.end(
          'HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large',
        ),
      ),
    );
    const client = new TcpClient(await reach(way, app));
    client.socket.write('POST / HTTP/1.1\r\nhost: orders\r\ncontent-length: 50000000\r\n\r\n');
    const chunk = Buffer.alloc(65_536);
    const send = (): void => {
      while (!client.closed && client.socket.writable && client.socket.write(chunk));
    };
    client.socket.on('drain', send);
    send();
    await client.until(({ text, ended, closed }) => text.includes('too large') || ended || closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 413 /);
    expect(client.text).toContain('too large');
  });

  test('an answer of an application that reads no further and closes is not lost with its connection', async () => {
    const app = await tcpApp(socket =>
      socket.once('data', () => {
        socket.pause();
        // The rest of the request is unread, so that the kernel sends RST behind the answer.
        socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large');
        socket.destroy();
      }),
    );
    const port = await reach(way, app);
    for (let i = 0; i < 20; i++) {
      const client = new TcpClient(port);
      client.socket.write('POST / HTTP/1.1\r\nhost: orders\r\ncontent-length: 5000000\r\n\r\n');
      client.socket.write(Buffer.alloc(5_000_000));
      await client.until(({ text, ended, closed }) => text.includes('too large') || ended || closed);
      expect(client.text).toMatch(/^HTTP\/1\.1 413 [^]*too large$/);
    }
  });

  test('after an early answer to a short request the connection goes on', async () => {
    const app = await httpApp((req, res) => {
      res.end(`<${req.url}>`);
      req.resume();
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write('POST /1 HTTP/1.1\r\nhost: orders\r\ncontent-length: 10\r\n\r\n12345');
    await client.until(({ text }) => text.includes('</1>'));
    client.socket.write('67890GET /2 HTTP/1.1\r\nhost: orders\r\n\r\n');
    await client.until(({ text }) => text.includes('</2>'));
  });

  test('a client that goes away in the middle of its body ends the request at the application', async () => {
    let arrived = false;
    let aborted = false;
    const app = await httpApp(req => {
      arrived = true;
      req.resume();
      req.on('error', () => (aborted = true));
    });
    const client = new TcpClient(await reach(way, app));
    client.socket.write('POST / HTTP/1.1\r\nhost: orders\r\ncontent-length: 10\r\n\r\n12345');
    await eventually(() => arrived);
    client.socket.end();
    await eventually(() => aborted);
  });
});
