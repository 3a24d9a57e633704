/**
 * From HTTP/2 to HTTP/1.1: a peer with a certificate of the mesh, which need not be a sidecar, says in HTTP/2 what would
 * be more than one request in HTTP/1.1. Each case is followed by another request on its connection. The application sees
 * what the case says, and the one that follows, and nothing else.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { headers } from '../../proxy/http2/testing/wire.ts';
import { RawHttp2 } from '../attacks/raw-http2.ts';
import { CLIENT_ID } from '../integration/proxy/configuration.ts';
import { TestMesh } from '../integration/proxy/test-mesh.ts';
import {
  nginxApplication,
  nginxMissing,
  nodeApplication,
  type RecordingApplication,
} from './applications.ts';
import { FORGED } from './cases.ts';
import { CONVERSION_CASES } from './http2-cases.ts';

const PROTOCOL_ERROR = 1;
/** The request that follows each case. */
const marker = (path: string): string[] => [
  ':method',
  'GET',
  ':scheme',
  'http',
  ':authority',
  'a.test',
  ':path',
  path,
  'tulle-version',
  '1.1',
];

const applications: [string, () => Promise<RecordingApplication>][] = [['node:http', nodeApplication]];
if (nginxMissing() === '') applications.push(['nginx', nginxApplication]);

describe.each(applications)('to %s', (_, start) => {
  let mesh: TestMesh;
  let application: RecordingApplication;
  let runs = 0;
  let ports: ConstructorParameters<typeof RawHttp2>[0];

  beforeAll(async () => {
    application = await start();
    mesh = new TestMesh();
    const server = await mesh.server(application.port, { protocol: 'http' });
    const { cert, key } = mesh.authority.issue(CLIENT_ID);
    ports = { inbound: server.port, outbound: 0, ca: mesh.authority.pem, cert, key };
  });

  afterAll(() => {
    mesh.close();
    application.stop();
  });

  test.each(CONVERSION_CASES)('$name', async ({ frames, sees }) => {
    const path = `/marker-${++runs}`;
    const before = application.seen().length;
    const peer = new RawHttp2(ports, 'mtls');
    peer.greet();
    peer.say(...frames);
    await peer.until(() => peer.bytes.has(1) || peer.resets.has(1) || peer.over);
    peer.say(headers(3, marker(path), true));
    await peer.until(() => peer.bytes.has(3) || peer.resets.has(3) || peer.over);
    // nginx writes its log a moment after its answer.
    while (application.seen().at(-1)?.target !== path) await new Promise(resolve => setTimeout(resolve, 5));
    peer.destroy();
    const seen = application
      .seen()
      .slice(before)
      .filter(({ status }) => status < 400)
      .map(({ method, host, target, body }) => [method, host, target, body]);
    expect(
      application
        .seen()
        .slice(before)
        .map(({ rest }) => rest)
        .join(),
    ).not.toContain(FORGED);
    const last = ['GET', 'a.test', path, ''];
    expect([peer.goaway, peer.resets.get(1) ?? -1]).toEqual([-1, sees === 'refused' ? PROTOCOL_ERROR : -1]);
    expect(seen).toEqual(sees === 'refused' ? [last] : [sees, last]);
  });
});
