/**
 * An answer that has begun may be quiet for as long as both connections live: gRPC watches, server-sent events. What has no
 * answer does not: it also tells the test that the time is over.
 */

import { once } from 'node:events';
import { get, request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { httpApp } from './apps.ts';
import { http2App, http2Session } from './http2/peers.ts';
import { testMesh } from './mesh.ts';
import { reach, ways } from './ways.ts';

/** Longer than any limit on silence: see docs/reference/limits.md. */
const QUIET_MS = 400_000;
const PACE = 20;

describe.each(ways)('a quiet answer, %s', way => {
  test('of HTTP/2 lives, with an open request and a complete one', async () => {
    const mesh = testMesh();
    mesh.pace = PACE;
    const speak: (() => void)[] = [];
    const app = await http2App((stream, headers) => {
      if (headers[':path'] === '/unanswered') return;
      stream.respond({ ':status': 200 });
      stream.write('begun ');
      speak.push(() => stream.end('spoken'));
    });
    const client = await http2Session(await reach(way, app.port, { mesh, protocol: 'http2' }));
    const watches = [true, false].map(endStream => {
      const watch = client.request({ ':method': 'POST', ':path': '/watch' }, { endStream });
      watch.setEncoding('utf8');
      return watch;
    });
    await Promise.all(watches.map(watch => once(watch, 'data')));
    const unanswered = client.request({ ':method': 'POST', ':path': '/unanswered' }, { endStream: false });
    unanswered.on('error', () => {}).resume();
    const over = once(unanswered, 'close');
    // What is under way when the clock moves is late by all of it, so it moves again.
    const moving = setInterval(() => (mesh.ahead += QUIET_MS), 100);
    await over;
    clearInterval(moving);
    for (const end of speak) end();
    const spoken = await Promise.all(watches.map(async watch => (await once(watch, 'data'))[0] as string));
    expect(spoken).toEqual(['spoken', 'spoken']);
  });

  test('of HTTP/1.1 lives', async () => {
    const mesh = testMesh();
    mesh.pace = PACE;
    const speak: (() => void)[] = [];
    const port = await reach(
      way,
      await httpApp((received, response) => {
        received.resume();
        if (received.url === '/unanswered') return;
        response.write('begun ');
        speak.push(() => response.end('spoken'));
      }),
      { mesh },
    );
    const events = get({
      port,
      host: '127.0.0.1',
      path: '/events',
      headers: { host: 'orders' },
      agent: false,
    });
    const [answer] = await once(events, 'response');
    answer.setEncoding('utf8');
    await once(answer, 'data');
    const unanswered = request({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/unanswered',
      agent: false,
    });
    unanswered.on('error', () => {});
    unanswered.setHeader('host', 'orders');
    unanswered.write('x');
    const over = once(unanswered, 'close');
    const moving = setInterval(() => (mesh.ahead += QUIET_MS), 100);
    await over;
    clearInterval(moving);
    for (const end of speak) end();
    expect((await once(answer, 'data'))[0]).toBe('spoken');
  });
});
