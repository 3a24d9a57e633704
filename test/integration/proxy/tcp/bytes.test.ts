import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { eventually, TcpClient, tcpApp } from '../apps.ts';
import { testMesh } from '../mesh.ts';
import { reach, type Way, ways } from '../ways.ts';

const HOUR_MS = 3_600_000;

function at(way: Way, app: number, mesh = testMesh()): Promise<number> {
  // The server's sidecar waits so long before it takes a silent client for one outside the mesh.
  return reach(way, app, { mesh, protocol: 'opaque', detectTimeoutMs: 50 });
}

describe.each(ways)('a connection of bytes, %s', way => {
  test('carries much both ways at once, octet by octet the same', async () => {
    const sent = randomBytes(6_000_000);
    const answered = randomBytes(6_000_000);
    const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    let received = '';
    const app = await tcpApp(socket => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('end', () => (received = sum(Buffer.concat(chunks))));
      socket.end(answered);
    });
    const client = new TcpClient(await at(way, app));
    client.socket.end(sent);
    await client.until(({ closed }) => closed);
    expect(sum(client.received)).toBe(sum(answered));
    await eventually(() => received !== '');
    expect(received).toBe(sum(sent));
  });

  test('FIN of the client is FIN at the application, whose answer still comes', async () => {
    const app = await tcpApp(socket => {
      let text = '';
      socket.on('data', chunk => (text += chunk));
      socket.on('end', () => socket.end(`got ${text}`));
    });
    const client = new TcpClient(await at(way, app));
    client.socket.end('all');
    await client.until(({ ended }) => ended);
    expect(client.text).toBe('got all');
    await client.until(({ closed }) => closed);
    expect(client.error).toBe(null);
  });

  test('FIN of the application is FIN at the client, which may still send', async () => {
    let heard = '';
    let over = false;
    const app = await tcpApp(socket => {
      socket.end('bye');
      socket.on('data', chunk => (heard += chunk));
      socket.on('end', () => (over = true));
    });
    const client = new TcpClient(await at(way, app));
    client.socket.write('hello,');
    await client.until(({ ended }) => ended);
    expect(client.text).toBe('bye');
    client.socket.write('still here,');
    await eventually(() => heard === 'hello,still here,');
    client.socket.end('end');
    await eventually(() => over);
    expect(heard).toBe('hello,still here,end');
  });

  test('FIN without a byte is FIN without a byte', async () => {
    let over = false;
    const app = await tcpApp(socket => {
      socket.resume();
      socket.on('end', () => {
        over = true;
        socket.end();
      });
    });
    const client = new TcpClient(await at(way, app));
    client.socket.end();
    await client.until(({ ended }) => ended);
    expect([over, client.received.length]).toEqual([true, 0]);
  });

  test('the server may speak first, and the client never', async () => {
    const app = await tcpApp(socket => socket.write('220 ready\r\n'));
    const client = new TcpClient(await at(way, app));
    await client.until(({ text }) => text === '220 ready\r\n');
  });

  test('RST of one side is RST on the other', async () => {
    const accepted: Socket[] = [];
    const errors: string[] = [];
    const app = await tcpApp(socket => {
      accepted.push(socket);
      socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
      socket.on('data', () => socket.write('x'));
    });
    const port = await at(way, app);
    const one = new TcpClient(port);
    one.socket.write('a');
    await one.until(({ text }) => text === 'x');
    accepted[0].resetAndDestroy();
    await one.until(({ closed }) => closed);
    expect(one.error?.code).toBe('ECONNRESET');
    const two = new TcpClient(port);
    two.socket.write('a');
    await two.until(({ text }) => text === 'x');
    two.socket.resetAndDestroy();
    await eventually(() => errors.length > 0);
    expect(errors).toEqual(['ECONNRESET']);
  });

  test('silence of hours is no end', async () => {
    const mesh = testMesh();
    const app = await tcpApp(socket => socket.on('data', chunk => socket.write(chunk)));
    const client = new TcpClient(await at(way, app, mesh));
    client.socket.write('one,');
    await client.until(({ text }) => text === 'one,');
    mesh.ahead = 8 * HOUR_MS;
    // Connections decide about timeouts once a second, of which one is under way.
    mesh.pace = 50;
    await new Promise(resolve => setTimeout(resolve, 1200));
    client.socket.write('two');
    await client.until(({ text, closed }) => text === 'one,two' || closed);
    expect(client.text).toBe('one,two');
  });

  test('bytes that look like HTTP are bytes', async () => {
    const app = await tcpApp(socket => socket.on('data', chunk => socket.write(chunk)));
    const client = new TcpClient(await at(way, app));
    const bytes = 'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\ntransfer-encoding: x\r\n\r\n\0\u00ff';
    client.socket.write(bytes, 'latin1');
    await client.until(({ text }) => text === bytes);
  });
});
