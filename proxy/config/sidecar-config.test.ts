import { expect, test } from 'vitest';
import { SettingsError } from '../../runtime/settings.ts';
import { DEFAULT_HTTP1_LIMITS } from '../http1/limits.ts';
import { TRUSTED_LIMITS } from '../http2/limits.ts';
import { proxyLimits } from './proxy-limits.ts';
import { readSidecarConfig } from './sidecar-config.ts';

const NEEDED = { TULLE_POD_NAME: 'web-1', TULLE_POD_NAMESPACE: 'shop', TULLE_POD_IP: '10.1.2.3' };

function problems(environment: Record<string, string>): readonly string[] {
  try {
    readSidecarConfig({ ...NEEDED, ...environment });
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test('what the injector writes is enough', () => {
  const config = readSidecarConfig({ ...NEEDED, TULLE_SERVICE_ACCOUNT: 'web' });
  expect(config).toMatchObject({
    mode: 'redirect',
    spiffe: 'spiffe://cluster.local/ns/shop/sa/web',
    controlPlane: {
      host: 'tulle-control-plane.tulle-system.svc',
      port: 14010,
      serverName: 'tulle-control-plane.tulle-system.svc',
    },
    inboundListeners: [],
    outboundListeners: [],
    appMetrics: null,
  });
  expect(config.probes.size).toBe(0);
});

test('limits are the defaults but for those that are set', () => {
  const { limits } = readSidecarConfig({ ...NEEDED, TULLE_LIMITS: 'maxHeadBytes=131072, mesh.resets=7' });
  expect(limits).toEqual({
    ...proxyLimits(),
    http1: { ...DEFAULT_HTTP1_LIMITS, maxHeadBytes: 131_072 },
    mesh: { ...TRUSTED_LIMITS, resets: 7 },
  });
  expect(problems({ TULLE_LIMITS: 'maxHeadBytes=7' })).toEqual([
    'TULLE_LIMITS is "maxHeadBytes=7"; use an integer from 1024 to 1048576 for maxHeadBytes',
  ]);
});

test('explicit listeners, probes and metrics are read', () => {
  const config = readSidecarConfig({
    ...NEEDED,
    TULLE_MODE: 'explicit',
    TULLE_CONTROL_PLANE: '[::1]:14010',
    TULLE_CONTROL_PLANE_NAME: 'control.example',
    TULLE_INBOUND_LISTENERS: '127.0.0.2:8080=127.0.0.2:18080,[::1]:80=[::1]:8080',
    TULLE_OUTBOUND_LISTENERS: '127.0.0.1:0=payments.shop:9000',
    TULLE_APP_METRICS: 'http://127.0.0.1:9100/metrics?x=1',
    TULLE_PROBES: JSON.stringify({
      '/probe/app/livenessProbe': {
        httpGet: {
          port: 8080,
          path: 'live',
          scheme: 'HTTPS',
          httpHeaders: [{ name: 'X-Probe', value: 'a b' }],
        },
        timeoutSeconds: 3,
      },
      '/probe/app/readinessProbe': { grpc: { port: 9000 } },
      '/probe/db/startupProbe': { tcpSocket: { port: 5432 } },
    }),
  });
  expect(config.controlPlane).toEqual({ host: '::1', port: 14010, serverName: 'control.example' });
  expect(config.inboundListeners).toEqual([
    { address: '127.0.0.2', port: 8080, applicationAddress: '127.0.0.2', applicationPort: 18080 },
    { address: '::1', port: 80, applicationAddress: '::1', applicationPort: 8080 },
  ]);
  expect(config.outboundListeners).toEqual([
    { address: '127.0.0.1', port: 0, host: 'payments.shop', targetPort: 9000 },
  ]);
  expect(config.appMetrics?.href).toBe('http://127.0.0.1:9100/metrics?x=1');
  expect(Object.fromEntries(config.probes)).toEqual({
    '/probe/app/livenessProbe': {
      action: { kind: 'http', port: 8080, path: '/live', tls: true, fields: ['x-probe', 'a b'] },
      timeoutMs: 3000,
    },
    '/probe/app/readinessProbe': { action: { kind: 'grpc', port: 9000, service: '' }, timeoutMs: 1000 },
    '/probe/db/startupProbe': { action: { kind: 'tcp', port: 5432 }, timeoutMs: 1000 },
  });
});

test('a sidecar does not start where TLS has been weakened', () => {
  expect(
    problems({ NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_EXTRA_CA_CERTS: '/x', SSLKEYLOGFILE: '/x' }),
  ).toEqual([
    'NODE_TLS_REJECT_UNAUTHORIZED is set, which would weaken TLS; remove it',
    'NODE_EXTRA_CA_CERTS is set, which would weaken TLS; remove it',
    'SSLKEYLOGFILE is set, which would weaken TLS; remove it',
  ]);
});

test.each([
  ['TULLE_CONTROL_PLANE', 'control-plane', 'TULLE_CONTROL_PLANE is "control-plane"; use HOST:PORT'],
  ['TULLE_CONTROL_PLANE', 'a:0', 'TULLE_CONTROL_PLANE is "a:0"; use HOST:PORT'],
  ['TULLE_SERVICE_ACCOUNT', 'a/b', /not a SPIFFE ID/],
  ['TULLE_INBOUND_LISTENERS', '127.0.0.1:80', /has the entry "127\.0\.0\.1:80"; use ADDRESS:PORT=HOST:PORT/],
  ['TULLE_OUTBOUND_LISTENERS', '127.0.0.1:80=x:0', /TULLE_OUTBOUND_LISTENERS has the entry/],
  ['TULLE_APP_METRICS', 'https://127.0.0.1/metrics', /use http:\/\/HOST:PORT\/PATH/],
  ['TULLE_PROBES', '[', /^TULLE_PROBES is not JSON/],
  ['TULLE_PROBES', '[]', /^TULLE_PROBES is not an object/],
  ['TULLE_PROBES', '{"/live":{"tcpSocket":{"port":1}}}', /the path must be \/probe\/CONTAINER\/KIND/],
  ['TULLE_PROBES', '{"/probe/a/b":{"exec":{}}}', /has none of httpGet, tcpSocket and grpc/],
  ['TULLE_PROBES', '{"/probe/a/b":{"tcpSocket":{"port":"http"}}}', /port is "http"; use a number/],
  ['TULLE_PROBES', '{"/probe/a/b":{"httpGet":{"port":1,"path":"/ x"}}}', /visible ASCII/],
  [
    'TULLE_PROBES',
    '{"/probe/a/b":{"httpGet":{"port":1,"httpHeaders":[{"name":"a","value":"b\\r\\nc: d"}]}}}',
    /field "a", which is not valid/,
  ],
])('%s=%s is refused with the remedy', (name, value, problem) => {
  expect(problems({ [name]: value })).toEqual([
    typeof problem === 'string' ? problem : expect.stringMatching(problem),
  ]);
});
