/**
 * Smuggling from one application to another: on the proxy port each request names its destination, so whoever makes the
 * sidecar misjudge where a request ends could reach an application that no request was sent to. Each case goes to one
 * application, and what follows on the same connection goes to the other.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TulleParser } from '../fuzz/http1/tulle-parser.ts';
import { cluster, endpoint, forward, SERVER_ID } from '../integration/proxy/configuration.ts';
import { TestMesh } from '../integration/proxy/test-mesh.ts';
import { nodeApplication, type RecordingApplication } from './applications.ts';
import { SMUGGLING_CASES, type SmugglingCase } from './cases.ts';
import { say } from './client.ts';

const HOSTS = ['a.test', 'b.test'];
const MARKER = 'GET /marker HTTP/1.1\r\nHost: b.test\r\n\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n';

function bytesOf({ bytes, incomplete }: SmugglingCase): Buffer {
  return Buffer.from(incomplete ? bytes : bytes + MARKER + LAST, 'latin1');
}

/** Requests that are complete, as the codec reads them: host and start line. */
function expectedOf(smuggling: SmugglingCase): { host: string; start: string; body: string }[] {
  return new TulleParser()
    .requests([bytesOf(smuggling)])
    .messages.filter(({ ended }) => ended)
    .map(({ start, body }) => {
      const [method, host, target] = start.split(' ');
      return { host, start: `${method} ${target}`, body };
    });
}

const cases = SMUGGLING_CASES.filter(smuggling =>
  expectedOf(smuggling).every(({ host }) => HOSTS.includes(host)),
);

let mesh: TestMesh;
let applications: RecordingApplication[];
let port: number;

beforeAll(async () => {
  mesh = new TestMesh();
  applications = [];
  for (const host of HOSTS) {
    const application = await nodeApplication();
    const server = await mesh.server(application.port, { protocol: 'http' });
    const service = cluster(host, [endpoint(server.port, { identity: SERVER_ID })]);
    mesh.destinations.set(host, 80, 'http', [service], [forward([host])]);
    applications.push(application);
  }
  port = (await mesh.client()).stack.addresses[0].port;
});

afterAll(() => {
  mesh.close();
  for (const application of applications) application.stop();
});

test.each(cases)('$name', async smuggling => {
  const before = applications.map(application => application.seen().length);
  await say(port, bytesOf(smuggling).toString('latin1'), smuggling.incomplete === true);
  const expected = expectedOf(smuggling);
  for (const [i, host] of HOSTS.entries()) {
    const seen = applications[i].seen().slice(before[i]);
    expect(seen.map(({ method, target, body }) => ({ host, start: `${method} ${target}`, body }))).toEqual(
      expected.filter(request => request.host === host),
    );
  }
});
