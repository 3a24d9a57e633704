import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { httpApp } from '../../integration/proxy/apps.ts';
import { http2App } from '../../integration/proxy/http2/peers.ts';
import { cluster, endpoint, forward, SERVER_ID, testMesh } from '../../integration/proxy/mesh.ts';
import { reach, ways } from '../../integration/proxy/ways.ts';
import type { Tool } from '../tool-cache.ts';
import { type Curl, findCurl } from './curl.ts';

const UPLOAD_BYTES = 5_000_000;
const folder = mkdtempSync(join(tmpdir(), 'tulle-curl-'));
const upload = join(folder, 'upload');
const uploaded = randomBytes(UPLOAD_BYTES);
let tool: Tool<{ readonly curl: Curl }> = { kind: 'missing', reason: 'not looked for' };

beforeAll(async () => {
  tool = await findCurl();
  if (tool.kind === 'missing') console.warn(`curl is skipped: ${tool.reason}`);
  writeFileSync(upload, uploaded);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** curl, or the test is skipped. */
function need(context: TestContext): Curl {
  if (tool.kind === 'missing') return context.skip(tool.reason);
  return tool.curl;
}

const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const application: RequestListener = (req, res) => {
  const hash = createHash('sha256');
  req.on('data', chunk => hash.update(chunk));
  req.on('end', () => {
    if (req.url === '/hints') res.writeEarlyHints({ link: '</a.css>; rel=preload' });
    if (req.url === '/trailers') {
      res.writeHead(200, { trailer: 'x-sum' });
      res.write('body');
      res.addTrailers({ 'x-sum': '42' });
      return res.end();
    }
    if (req.url === '/compressed') {
      return res.setHeader('content-encoding', 'gzip').end(gzipSync('plain text'));
    }
    res.setHeader('x-request', `${req.method} ${req.url} ${req.headers.host}`);
    res.end(hash.digest('hex'));
  });
};

const versions = { '1.0': '--http1.0', '1.1': '--http1.1', '2': '--http2-prior-knowledge' } as const;

describe.each(ways)('%s', way => {
  async function url(): Promise<string> {
    return `http://127.0.0.1:${await reach(way, await httpApp(application))}`;
  }

  it.for(['1.0', '1.1'] as const)('uploads and downloads in HTTP/%s', async (version, context) => {
    const curl = need(context);
    const base = await url();
    const report = '\n%{http_code} %{http_version}';
    const got = await curl([versions[version], '-w', report, `${base}/a?b=c`]);
    expect([got.exit, got.out.toString().split('\n')[1]]).toEqual([0, '200 1.1']);
    const put = await curl([versions[version], '-T', upload, `${base}/`]);
    expect([put.exit, put.out.toString()]).toEqual([0, sum(uploaded)]);
  });

  it('waits with a body for 100 Continue, and sends it in chunks if told so', async context => {
    const curl = need(context);
    const base = await url();
    const expecting = await curl(['-i', '-H', 'Expect: 100-continue', '-T', upload, base]);
    expect(expecting.out.toString()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(expecting.out.toString()).toContain(sum(uploaded));
    const chunked = await curl(['-H', 'Transfer-Encoding: chunked', '-T', upload, base]);
    expect(chunked.out.toString()).toBe(sum(uploaded));
  });

  it('reads HEAD, early hints, trailers and what is compressed', async context => {
    const curl = need(context);
    const base = await url();
    const head = await curl(['-I', `${base}/head`]);
    expect([head.exit, /x-request: HEAD \/head/.test(head.out.toString())]).toEqual([0, true]);
    const hints = await curl(['-i', `${base}/hints`]);
    expect(hints.out.toString()).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: [^]*\r\n\r\nHTTP\/1\.1 200 /);
    // curl hands trailers to who asked for the head.
    const trailers = await curl(['-D', '-', `${base}/trailers`]);
    expect(trailers.out.toString()).toContain('x-sum: 42\r\n');
    expect((await curl(['--compressed', `${base}/compressed`])).out.toString()).toBe('plain text');
  });

  it('asks with OPTIONS *, and keeps its connection', async context => {
    const curl = need(context);
    const base = await url();
    const options = await curl(['-i', '-X', 'OPTIONS', '--request-target', '*', base]);
    expect(options.out.toString()).toMatch(/x-request: OPTIONS \* /);
    // Not in HTTP/2: curl 7.88 loses its way on the second request of a connection, whoever serves it.
    const twice = await curl(['-w', '%{num_connects}\n', '-o', '/dev/null', '-o', '/dev/null', base, base]);
    expect(twice.out.toString()).toBe('1\n0\n');
  });

  it('hears an early refusal of a large upload', async context => {
    const curl = need(context);
    const app = await httpApp((_req, res) => res.writeHead(413, { connection: 'close' }).end('too large'));
    const base = `http://127.0.0.1:${await reach(way, app)}`;
    const refused = await curl(['-H', 'Expect:', '-w', ' %{http_code}', '-T', upload, base]);
    expect(refused.out.toString()).toBe('too large 413');
  });

  it.for(['1.0', '1.1', '2'] as const)(
    'reaches an application of HTTP/2 in HTTP/%s',
    async (version, context) => {
      const curl = need(context);
      const app = await http2App((stream, headers) => {
        const hash = createHash('sha256');
        stream.on('data', chunk => hash.update(chunk));
        stream.on('end', () => {
          stream.respond({ ':status': 200, 'x-path': headers[':path'] });
          stream.end(hash.digest('hex'));
        });
      });
      const base = `http://127.0.0.1:${await reach(way, app.port, { protocol: 'http2' })}`;
      const put = await curl([versions[version], '-i', '-T', upload, `${base}/x`]);
      expect(put.exit).toBe(0);
      expect(put.out.toString()).toMatch(/x-path: \/x\r\n/);
      expect(put.out.toString()).toContain(sum(uploaded));
    },
  );
});

describe('the proxy port', () => {
  async function proxy(): Promise<{ port: number; host: string }> {
    const mesh = testMesh();
    const { port } = await mesh.server(await httpApp(application), { mtls: 'strict' });
    const orders = cluster('orders', [endpoint(port, { identity: SERVER_ID })]);
    mesh.destinations.set('orders', 8080, 'http', [orders], [forward(['orders'])]);
    const client = await mesh.client();
    return { port: client.stack.addresses[0].port, host: 'http://orders:8080' };
  }

  it('takes requests of curl in absolute-form and in a tunnel', async context => {
    const curl = need(context);
    const { port, host } = await proxy();
    const through = ['--noproxy', '', '-x', `http://127.0.0.1:${port}`];
    const absolute = await curl([...through, '-i', `${host}/a`]);
    expect(absolute.out.toString()).toMatch(/x-request: GET \/a orders:8080\r\n/);
    const tunnelled = await curl([...through, '--proxytunnel', '-i', '-T', upload, `${host}/b`]);
    expect(tunnelled.out.toString()).toMatch(/x-request: PUT \/b orders:8080\r\n/);
    expect(tunnelled.out.toString()).toContain(sum(uploaded));
  });
});
