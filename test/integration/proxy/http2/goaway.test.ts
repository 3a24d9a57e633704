import { describe, expect, test } from 'vitest';
import { eventually } from '../apps.ts';
import { reach, ways } from '../ways.ts';
import { http2Answer, http2App, http2Session } from './peers.ts';

describe.each(ways)('GOAWAY of the application, %s', way => {
  test('loses no request, and repeats none that it has served', async () => {
    const served = new Map<string, number>();
    let goaways = 0;
    const app = await http2App((stream, headers) => {
      const path = String(headers[':path']);
      stream.resume();
      stream.on('end', () => {
        served.set(path, (served.get(path) ?? 0) + 1);
        stream.respond({ ':status': 200 }, { endStream: true });
        if (served.size % 100 !== 0) return;
        goaways++;
        // As nginx does after so many requests of a connection. Streams above the last one that it has seen are refused.
        stream.session?.close();
      });
    });
    const client = await http2Session(await reach(way, app.port, { protocol: 'http2' }));
    const request = async (path: string): Promise<string> => {
      const stream = client.request({ ':method': 'POST', ':path': path });
      const answer = http2Answer(stream);
      stream.end('body');
      const { status, headers } = await answer;
      return `${status} ${String(headers['tulle-error'])}`;
    };
    const statuses: string[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < 600) statuses.push(await request(`/${next++}`));
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    expect(statuses.filter(status => status !== '200 undefined')).toEqual([]);
    expect(served.size).toBe(600);
    expect([...served.values()].filter(times => times !== 1)).toEqual([]);
    expect(goaways).toBe(6);
  });

  test('lets open streams end, and new ones take another connection', async () => {
    const sessions = new Set<unknown>();
    let finish: () => void = () => {};
    const app = await http2App((stream, headers) => {
      sessions.add(stream.session);
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/long') finish = () => stream.end('end');
      else stream.end('short');
    });
    const client = await http2Session(await reach(way, app.port, { protocol: 'http2' }));
    const long = client.request({ ':path': '/long' });
    const answer = http2Answer(long);
    await new Promise(resolve => long.once('response', resolve));
    for (const session of app.sessions) session.goaway(0);
    await eventually(() => true);
    expect((await http2Answer(client.request({ ':path': '/a' }))).body.toString()).toBe('short');
    finish();
    expect((await answer).body.toString()).toBe('end');
    expect(sessions.size).toBe(2);
  });
});
