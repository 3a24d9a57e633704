import { createServer } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { listen, onEnd } from '../../integration/proxy/apps.ts';
import { http2App } from '../../integration/proxy/http2/peers.ts';
import { reach, ways } from '../../integration/proxy/ways.ts';
import { findTool, run, type Tool } from '../tool-cache.ts';

/** Correctness under load, not speed: every request has to be answered, and rightly. */
const REQUESTS = 3000;
const tools = new Map<string, Tool<object>>();

beforeAll(async () => {
  for (const name of ['h2load', 'wrk']) {
    tools.set(name, await findTool(() => installed(name)));
    const tool = tools.get(name)!;
    if (tool.kind === 'missing') console.warn(`${name} is skipped: ${tool.reason}`);
  }
});

/** wrk's --version ends with 1. */
async function installed(name: string): Promise<object> {
  await run(name, ['--version']).catch((error: { code?: unknown }) => {
    if (error.code === 'ENOENT') throw new Error(`${name} is not installed`);
  });
  return {};
}

async function http1App(): Promise<number> {
  const server = createServer((req, res) => {
    req.resume();
    req.on('end', () => res.end('hello'));
  });
  onEnd(() => {
    server.close();
    server.closeAllConnections();
  });
  return listen(server);
}

async function h2load(port: number, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run('h2load', ['-n', String(REQUESTS), ...args, `http://127.0.0.1:${port}/`]);
  return ['requests: ', 'status codes: '].map(
    start =>
      stdout
        .split('\n')
        .find(line => line.startsWith(start))
        ?.slice(start.length) ?? stdout,
  );
}

const ALL = [
  `${REQUESTS} total, ${REQUESTS} started, ${REQUESTS} done, ${REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout`,
  `${REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx`,
];

describe.each(ways)('%s', way => {
  it('h2load in HTTP/2 gets an answer to every request', async context => {
    const tool = tools.get('h2load')!;
    if (tool.kind === 'missing') return context.skip(tool.reason);
    const app = await http2App(stream => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    });
    const port = await reach(way, app.port, { protocol: 'http2' });
    expect(await h2load(port, ['-c', '4', '-m', '32'])).toEqual(ALL);
  });

  it('h2load in HTTP/1.1 gets an answer to every request', async context => {
    const tool = tools.get('h2load')!;
    if (tool.kind === 'missing') return context.skip(tool.reason);
    expect(await h2load(await reach(way, await http1App()), ['--h1', '-c', '16'])).toEqual(ALL);
  });

  it('wrk meets no error', async context => {
    const tool = tools.get('wrk')!;
    if (tool.kind === 'missing') return context.skip(tool.reason);
    const port = await reach(way, await http1App());
    const { stdout } = await run('wrk', [
      '-t1',
      '-c16',
      '-d1',
      '--timeout',
      '30',
      `http://127.0.0.1:${port}/`,
    ]);
    expect(stdout).not.toMatch(/Socket errors|Non-2xx/);
    expect(Number(/(\d+) requests in/.exec(stdout)?.[1])).toBeGreaterThan(16);
  });
});
