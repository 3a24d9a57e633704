import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { WorkloadIdentity } from '../../api/spiffe.ts';
import { resourceTypes } from '../../api/xds/any.ts';
import { createLogger } from '../../runtime/log.ts';
import { FixtureStore, mesh, route, rule, service, workload } from '../translate/mesh.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';
import { startServer, type TestServer } from './server.fixture.ts';

const { listener, routes } = resourceTypes;
const node = { id: 'team/web-1', userAgentName: 'tulle' };
const web: WorkloadIdentity = { trustDomain: 'cluster.local', namespace: 'team', serviceAccount: 'web' };

let server: TestServer;
let client: RawClient;
let lines: string[];

async function start(identity: WorkloadIdentity | null): Promise<void> {
  const store = new FixtureStore(
    mesh({
      services: [service('echo', { addresses: ['10.0.0.1'] })],
      workloads: [
        workload('web-1', { namespace: 'team', serviceAccount: 'web' }),
        workload('db-1', { namespace: 'team', serviceAccount: 'db' }),
        workload('web-1', { serviceAccount: 'web' }),
      ],
      routes: [route('mine', 'echo', [rule({ 'echo:80': 1 })], { namespace: 'team' })],
    }),
  );
  lines = [];
  const log = createLogger('test', 'info', { write: line => void lines.push(line) });
  server = await startServer(store, { kind: 'authenticated', identify: () => identity }, log);
  client = new RawClient(server.port);
}

afterEach(async () => {
  client.close();
  await server.close();
});

describe('an authenticated server', () => {
  it('refuses a stream without a certificate, with the remedy', async () => {
    await start(null);
    const ended = await client.delta().ended();
    expect(ended.code).toBe(status.UNAUTHENTICATED);
    expect(ended.details).toContain('CertificateService');
  });

  it('serves the inbound listener of a pod of the certificate', async () => {
    await start(web);
    const stream = client.delta();
    stream.send({ node, typeUrl: listener, resourceNamesSubscribe: ['inbound/team/web-1'] });
    expect((await stream.next()).resources).toHaveLength(1);
  });

  it.each(['inbound/team/db-1', 'inbound/default/web-1'])('hides %s, and logs why', async name => {
    await start(web);
    const stream = client.delta();
    stream.send({ node, typeUrl: listener, resourceNamesSubscribe: [name] });
    expect(await stream.next()).toMatchObject({ resources: [], removedResources: [name] });
    expect(lines.some(line => line.includes('another service account'))).toBe(true);
  });

  it('takes the namespace from the certificate, whatever the node says', async () => {
    await start(web);
    const stream = client.delta();
    const liar = { ...node, id: 'default/web-1', metadata: { 'tulle.dev/namespace': 'default' } };
    stream.send({ node: liar, typeUrl: listener, resourceNamesSubscribe: ['outbound/10.0.0.1:80'] });
    const { resources } = await stream.next();
    expect(Buffer.from(resources[0].resource?.value ?? []).includes('route/default/echo:80@team')).toBe(true);
    stream.send({ typeUrl: routes, resourceNamesSubscribe: ['route/default/echo:80@team'] });
    expect((await stream.next()).resources).toHaveLength(1);
  });
});
