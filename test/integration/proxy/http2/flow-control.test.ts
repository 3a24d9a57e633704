import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { eventually } from '../apps.ts';
import { reach, ways } from '../ways.ts';
import { http2Answer, http2App, http2Session } from './peers.ts';

/** More than the windows of a stream and of a connection together. */
const LARGE = 40_000_000;
const STALLED = 30;

describe.each(ways)('windows, %s', way => {
  const at = (app: number) => reach(way, app, { protocol: 'http2' });

  test('a stream whose answers nobody reads holds up only itself', async () => {
    let offered = 0;
    const app = await http2App((stream, headers) => {
      stream.respond({ ':status': 200 });
      const chunk = Buffer.alloc(65_536, headers[':path']);
      let left = LARGE;
      const more = (): void => {
        while (left > 0) {
          left -= chunk.length;
          offered += chunk.length;
          if (!stream.write(chunk)) return void stream.once('drain', more);
        }
        stream.end();
      };
      more();
    });
    const client = await http2Session(await at(app.port));
    const stalled = Array.from({ length: STALLED }, (_, i) => client.request({ ':path': `/stalled${i}` }));
    await Promise.all(
      stalled.map(stream => {
        stream.on('error', () => {});
        return new Promise(resolve => stream.once('response', resolve));
      }),
    );
    let read = 0;
    const fast = client.request({ ':path': '/fast' });
    fast.on('data', (chunk: Buffer) => (read += chunk.length));
    await new Promise(resolve => fast.on('end', resolve));
    expect(read).toBeGreaterThanOrEqual(LARGE);
    // What is stalled was not taken into memory either.
    expect(offered - read).toBeLessThan(STALLED * 4_000_000);
  });

  test('a request that the application does not read holds up only itself', async () => {
    let received = 0;
    const app = await http2App((stream, headers) => {
      if (headers[':path'] !== '/fast') return;
      stream.on('data', (chunk: Buffer) => (received += chunk.length));
      stream.on('end', () => {
        stream.respond({ ':status': 200 }, { endStream: true });
      });
    });
    // Megabytes that Node's client may keep; what is stalled stays there.
    const client = await http2Session(await at(app.port), { maxSessionMemory: 1000 });
    for (let i = 0; i < STALLED; i++) {
      const stream = client.request({ ':method': 'POST', ':path': `/stalled${i}` });
      stream.on('error', () => {});
      stream.write(Buffer.alloc(2_000_000));
    }
    const fast = client.request({ ':method': 'POST', ':path': '/fast' });
    const answer = http2Answer(fast);
    const chunk = Buffer.alloc(65_536);
    for (let sent = 0; sent < LARGE; sent += chunk.length) {
      if (!fast.write(chunk)) await new Promise(resolve => fast.once('drain', resolve));
    }
    fast.end();
    expect((await answer).status).toBe(200);
    expect(received).toBeGreaterThanOrEqual(LARGE);
  });

  test('padding takes window and gives it back', async () => {
    const padded = { paddingStrategy: constants.PADDING_STRATEGY_MAX };
    const app = await http2App(stream => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    }, padded);
    const client = await http2Session(await at(app.port), padded);
    const stream = client.request({ ':method': 'POST', ':path': '/' });
    const answer = http2Answer(stream);
    const hash = createHash('sha256');
    for (let i = 0; i < 3000; i++) {
      // Small frames, so that the padding is a good part of the octets.
      const chunk = randomBytes(1000);
      hash.update(chunk);
      if (!stream.write(chunk)) await new Promise(resolve => stream.once('drain', resolve));
    }
    stream.end();
    const { body } = await answer;
    expect(createHash('sha256').update(body).digest('hex')).toBe(hash.digest('hex'));
  });

  test('the smallest window of a client is obeyed', async () => {
    const app = await http2App(stream => {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(20_000, 'x'));
    });
    const client = await http2Session(await at(app.port), { settings: { initialWindowSize: 100 } });
    const answers = Array.from({ length: 3 }, () => http2Answer(client.request({ ':path': '/' })));
    for (const { body } of await Promise.all(answers)) expect(body.length).toBe(20_000);
  });
});

test('a stream that was stalled goes on when its client reads again', async () => {
  const app = await http2App(stream => {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(10_000_000, 'x'));
  });
  const client = await http2Session(await reach('mesh', app.port, { protocol: 'http2' }));
  const stream = client.request({ ':path': '/' });
  await new Promise(resolve => stream.once('response', resolve));
  await new Promise(resolve => setTimeout(resolve, 100));
  let read = 0;
  stream.on('data', (chunk: Buffer) => (read += chunk.length));
  await eventually(() => read === 10_000_000);
});
