import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEchoServer } from './echo-server.ts';
import { findH2spec, runH2spec, type Tool } from './run-h2spec.ts';

/** Tests of h2spec 2.2.1 with -S. */
const ALL = 146;
const INSTALL_MS = 300_000;

let tool: Tool = { missing: 'not looked for' };
let server: Awaited<ReturnType<typeof startEchoServer>>;

beforeAll(async () => {
  tool = await findH2spec();
  server = await startEchoServer();
}, INSTALL_MS);
afterAll(() => server.close());

it(
  'the server passes every test of h2spec: generic, HTTP/2, HPACK, strict',
  async context => {
    if ('missing' in tool) {
      console.warn(`h2spec is skipped: ${tool.missing}`);
      return context.skip(tool.missing);
    }
    const result = await runH2spec(tool.path, '127.0.0.1', server.port);
    expect(result.failed).toEqual([]);
    expect(result.passed).toBe(ALL);
  },
  INSTALL_MS,
);
