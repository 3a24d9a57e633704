import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { call } from '../integration/proxy/apps.ts';
import type { ClientProcess } from './client-process.ts';
import { resourcesOf } from './envoy-dump.ts';
import { type Envoy, startEnvoy } from './envoy-process.ts';
import {
  bootstrapOf,
  clientNames,
  linesOf,
  secureMetadata,
  skipIfMissing,
  startClient,
} from './grpc-clients.ts';
import { type MeshedServices, startMeshedServices } from './meshed-services.ts';
import { findPython } from './python.ts';
import { certify } from './workload-certificate.ts';

const CALLS = 20;
/** It takes 3 s; a machine may be busy. */
const START_MS = 120_000;
const PLAINTEXT = { response_code: '200', connection_security_policy: 'none', source_principal: 'unknown' };
const GRPC = { request_protocol: 'grpc', grpc_response_status: '0' };
const CALLER = 'spiffe://cluster.local/ns/default/sa/client';
const ECHO = 'echo.shop.svc.cluster.local';
const WEB = 'web.shop.svc.cluster.local';
const SECRETS = 'secrets.vault.svc.cluster.local';

let mesh: MeshedServices;
beforeAll(async () => {
  mesh = await startMeshedServices();
}, START_MS);
afterAll(() => mesh?.stop());

describe.each(clientNames)('%s', { timeout: START_MS }, name => {
  let client: ClientProcess | null = null;
  afterEach(() => client?.stop());

  it('calls a meshed service through its sidecar', async context => {
    skipIfMissing(context, name);
    const labels = { ...PLAINTEXT, ...GRPC, destination_service: ECHO };
    const before = await mesh.served('echo', labels);
    client = startClient(name, 'call', [`xds:///${ECHO}:7000`], bootstrapOf(mesh.controlPort));
    expect(new Set(await linesOf(client, CALLS))).toEqual(new Set(['ok echo']));
    await expect
      .poll(() => mesh.served('echo', labels), { timeout: 20_000 })
      .toBeGreaterThanOrEqual(before + CALLS);
  });

  it('calls it with mTLS, and the application learns who calls', async context => {
    skipIfMissing(context, name);
    const labels = {
      ...GRPC,
      response_code: '200',
      connection_security_policy: 'mutual_tls',
      source_principal: CALLER,
    };
    const own = certify(mesh.authority, {
      trustDomain: 'cluster.local',
      namespace: 'default',
      serviceAccount: 'client',
    });
    const before = await mesh.served('echo', labels);
    const targets = [`xds:///${ECHO}:7000`, `xds:///${SECRETS}:7000`];
    client = startClient(name, 'call-tls', targets, bootstrapOf(mesh.controlPort, secureMetadata, own));
    const answers = new Set(await linesOf(client, 2 * CALLS));
    expect(answers).toEqual(new Set([`ok echo for ${CALLER}`, `ok secrets for ${CALLER}`]));
    await expect
      .poll(() => mesh.served('echo', labels), { timeout: 20_000 })
      .toBeGreaterThanOrEqual(before + CALLS);
  });

  it('is refused in plaintext where mTLS is required', async context => {
    skipIfMissing(context, name);
    client = startClient(name, 'call', [`xds:///${SECRETS}:7000`], bootstrapOf(mesh.controlPort));
    const refusal = /^error (7|PERMISSION_DENIED) MTLS_REQUIRED; /;
    for (const line of await linesOf(client, CALLS)) expect(line).toMatch(refusal);
  });
});

const python = await findPython();
if (python.kind === 'missing') console.warn(`skipped: Envoy cannot be installed: ${python.reason}`);

describe.skipIf(python.kind === 'missing').each(['DELTA_GRPC', 'GRPC'] as const)('Envoy over %s', api => {
  let envoy: Envoy;
  beforeEach(async () => {
    if (python.kind === 'ready') envoy = await startEnvoy(python.envoy, mesh.controlPort, api);
    await expect.poll(async () => (await get().catch(() => null))?.status, { timeout: 20_000 }).toBe(200);
  });
  afterEach(() => envoy.process.terminate());

  const get = () => call(envoy.port, { host: 'web.shop', path: '/cart?of=1' });

  it('gets listeners, routes, clusters, and the sidecars as endpoints', async () => {
    const { listeners, routes, clusters, endpoints } = await resourcesOf(envoy.admin() ?? '');
    expect({ listeners, routes }).toEqual({ listeners: ['outbound'], routes: ['outbound'] });
    expect(endpoints).toEqual({
      'service/shop/echo:7000': [mesh.inboundOf('echo')],
      'service/shop/web:80': [mesh.inboundOf('web')],
      'service/vault/secrets:7000': [mesh.inboundOf('secrets')],
    });
    expect(clusters.toSorted()).toEqual(Object.keys(endpoints).toSorted());
    expect(envoy.process.errors.filter(line => /rejected|error adding/i.test(line))).toEqual([]);
  });

  it('proxies calls to meshed services through their sidecars', async () => {
    const http = { ...PLAINTEXT, request_protocol: 'http', destination_service: WEB };
    const before = await mesh.served('web', http);
    for (let i = 0; i < CALLS; i++) {
      const { status, body } = await get();
      expect(status).toBe(200);
      const seen = JSON.parse(body) as { name: string; path: string; headers: Record<string, string> };
      expect(seen).toMatchObject({ name: 'web', path: '/cart?of=1' });
      expect(seen.headers).not.toHaveProperty('x-forwarded-client-cert');
    }
    await expect.poll(() => mesh.served('web', http), { timeout: 20_000 }).toBe(before + CALLS);

    const grpc = { ...PLAINTEXT, ...GRPC, destination_service: ECHO };
    const beforeGrpc = await mesh.served('echo', grpc);
    expect(await say(envoy.port, 'echo.shop:7000')).toBe('echo');
    await expect.poll(() => mesh.served('echo', grpc), { timeout: 20_000 }).toBe(beforeGrpc + 1);
  });
});

/** Calls /echo.Echo/Say of `authority` through the HTTP proxy at `port`. */
function say(port: number, authority: string): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.default_authority': authority,
  });
  const bytes = (value: Buffer): Buffer => value;
  return new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest('/echo.Echo/Say', bytes, bytes, Buffer.alloc(0), (error, answer) => {
      if (error === null) resolve(String(answer));
      else reject(error);
    });
  }).finally(() => client.close());
}
