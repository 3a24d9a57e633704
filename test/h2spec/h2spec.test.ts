import { beforeAll, expect, it } from 'vitest';
import { TcpClient } from '../integration/proxy/apps.ts';
import type { Tool } from '../peers/tool-cache.ts';
import { findH2spec, runH2spec } from './run-h2spec.ts';
import { targets } from './targets.ts';

/** Tests of h2spec 2.2.1 with -S: generic, HTTP/2, HPACK. */
const ALL = 146;
/** h2spec's own default, for servers whose largest frame has 16 KiB. */
const HEADER_BYTES = 4000;
const TIMEOUT_MS = 300_000;

/**
 * It demands that the connection closes without a byte. A port that takes HTTP/1.1 as well says 400 in that version first:
 * without the preface the peer does not use HTTP/2, so that it would not understand a GOAWAY (RFC 9113 §3.4).
 */
const PREFACE = 'http2/3.5: Sends invalid connection preface';

let tool: Tool<{ readonly path: string }> = { kind: 'missing', reason: 'not looked for' };

beforeAll(async () => {
  tool = await findH2spec();
  if (tool.kind === 'missing') console.warn(`h2spec is skipped: ${tool.reason}`);
}, TIMEOUT_MS);

it.for(targets)(
  '$name passes every test of h2spec: generic, HTTP/2, HPACK, strict',
  { timeout: TIMEOUT_MS },
  async ({ takesHttp1, headerBytes = HEADER_BYTES, start }, context) => {
    if (tool.kind === 'missing') return context.skip(tool.reason);
    let requests = 0;
    const port = await start(() => requests++);
    const { passed, failed } = await runH2spec(tool.path, '127.0.0.1', port, headerBytes);
    expect(failed).toEqual(takesHttp1 ? [PREFACE] : []);
    expect(passed + failed.length).toBe(ALL);
    // An HTTP/1.1 application does not see what is cancelled before there is a connection to it.
    expect(requests).toBeGreaterThan(30);
  },
);

it.for(targets.filter(({ takesHttp1 }) => takesHttp1))(
  '$name answers an invalid preface with 400, and closes',
  async ({ start }) => {
    const client = new TcpClient(await start(() => {}));
    client.socket.write('INVALID CONNECTION PREFACE\r\n\r\n');
    await client.until(({ ended, closed }) => ended || closed);
    expect(client.text).toMatch(/^HTTP\/1\.1 400 /);
  },
);
