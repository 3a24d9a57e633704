/** Real pods with their sidecars: init containers, and probes under strict mTLS. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testImage } from '../apps/image.ts';
import { apply, exec, type KubernetesObject, kubectl, waitFor } from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace, pod } from './harness/scenario.ts';
import { service } from './mesh/workloads.ts';

const MESH = 'tulle-test-mesh';
const STRICT = 'tulle-test-strict';

beforeAll(async () => {
  await freshNamespaces(
    namespace(MESH, enabled),
    namespace(STRICT, { ...enabled, 'tulle.dev/mtls': 'strict' }),
  );
  await apply(
    service(MESH, 'server', { app: 'server' }),
    pod(MESH, 'server', ['server'], { labels: { app: 'server' } }),
  );
  await waitFor('pod/server', 'condition=Ready', MESH);
});
afterAll(() => deleteNamespaces(MESH, STRICT));

test('init containers of the application have the mesh too', async () => {
  const initContainers = [{ name: 'first', image: testImage, args: ['first', `http://server.${MESH}/`] }];
  await apply(pod(MESH, 'with-init', ['idle'], { spec: { initContainers } }));
  await waitFor('pod/with-init', 'condition=Ready', MESH);
  const log = await kubectl('logs', '-n', MESH, 'with-init', '-c', 'first');
  expect(log).toMatch(/^200 /);
  expect(log).toContain(`"caller":"spiffe://cluster.local/ns/${MESH}/sa/default"`);
});

const probes: Record<string, object> = {
  http: { httpGet: { path: '/health', port: 'web', httpHeaders: [{ name: 'x-probe', value: 'yes' }] } },
  tcp: { tcpSocket: { port: 6000 } },
  grpc: { grpc: { port: 9000 } },
  exec: { exec: { command: ['/bin/sh', '-c', '! test -e /tmp/sick'] } },
};
const kinds = Object.keys(probes);

const probed = (kind: string): KubernetesObject =>
  pod(STRICT, kind, ['server'], {
    container: {
      ports: [{ name: 'web', containerPort: 8080 }],
      startupProbe: { ...probes[kind], periodSeconds: 1, failureThreshold: 30 },
      readinessProbe: { ...probes[kind], periodSeconds: 1, failureThreshold: 1 },
      livenessProbe: { ...probes[kind], periodSeconds: 1, failureThreshold: 100 },
    },
  });

test('probes of every kind succeed under strict mTLS', async () => {
  await apply(...kinds.map(probed));
  for (const kind of kinds) await waitFor(`pod/${kind}`, 'condition=Ready', STRICT);
});

/** Run in the pod; loopback goes past the sidecar. */
const sicken: Record<string, readonly string[]> = {
  http: ['curl', '-sS', '-X', 'PUT', 'http://127.0.0.1:8080/fail?on=true'],
  tcp: ['curl', '-sS', '-X', 'PUT', 'http://127.0.0.1:8080/close'],
  grpc: ['curl', '-sS', '-X', 'PUT', 'http://127.0.0.1:8080/fail?on=true'],
  exec: ['/bin/sh', '-c', 'touch /tmp/sick'],
};

test.each(kinds)('a %s probe that fails is seen to fail', async kind => {
  await exec(STRICT, kind, 'app', ...sicken[kind]);
  await waitFor(`pod/${kind}`, 'condition=Ready=false', STRICT, 20);
});

/** Open connections of a sidecar, by direction; the admin port is not redirected. */
async function connections(of: string, name: string): Promise<number> {
  const ip = await kubectl('get', 'pod', '-n', of, name, '-o', 'jsonpath={.status.podIP}');
  const metrics = await exec(MESH, 'with-init', 'app', 'curl', '-sS', `http://${ip}:14020/metrics`);
  const values = [...metrics.matchAll(/^tulle_connections\{[^}]*\} (\d+)/gm)].map(([, value]) =>
    Number(value),
  );
  return values.reduce((sum, value) => sum + value, 0);
}

test('a call to a port on which no application listens ends, and does not go round in the sidecar', async () => {
  const ip = await kubectl('get', 'pod', '-n', MESH, 'server', '-o', 'jsonpath={.status.podIP}');
  const out = await exec(
    MESH,
    'with-init',
    'app',
    'curl',
    '-s',
    '-m',
    '10',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code}',
    `http://${ip}:9999/`,
  );
  expect(out).toBe('503');
  expect(await connections(MESH, 'server')).toBeLessThan(20);
});

test('an application that listens on the address of its pod only is called and probed there', async () => {
  const script = `require('http').createServer((q, r) => r.end('here')).listen(7000, process.env.POD_IP)`;
  const container = {
    command: ['/usr/local/bin/node', '-e', script],
    env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
    readinessProbe: { httpGet: { path: '/', port: 7000 }, periodSeconds: 1 },
  };
  await apply(
    pod(MESH, 'on-pod-ip', [], { container, labels: { app: 'on-pod-ip' } }),
    service(MESH, 'on-pod-ip', { app: 'on-pod-ip' }, [[80, 7000]]),
  );
  await waitFor('pod/on-pod-ip', 'condition=Ready', MESH);
  expect(await exec(MESH, 'with-init', 'app', 'curl', '-sS', `http://on-pod-ip.${MESH}/`)).toBe('here');
});
