/** Real pods with their sidecars: Jobs, init containers, the first call, probes under strict mTLS. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { controlPlaneName, systemNamespace } from '../../api/installation.ts';
import { appImage } from './harness/images.ts';
import {
  apply,
  eventually,
  get,
  type KubernetesObject,
  kubectl,
  rolledOut,
  waitFor,
} from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace, pod } from './harness/scenario.ts';

const MESH = 'tulle-test-mesh';
const STRICT = 'tulle-test-strict';

function service(of: string, name: string, port: number): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: of },
    spec: { selector: { app: name }, ports: [{ name: 'http', port, targetPort: 8080 }] },
  };
}

beforeAll(async () => {
  await freshNamespaces(
    namespace(MESH, enabled),
    namespace(STRICT, { ...enabled, 'tulle.dev/mtls': 'strict' }),
  );
  await apply(
    service(MESH, 'server', 80),
    pod(MESH, 'server', ['server.ts', '8080'], { labels: { app: 'server' } }),
  );
  await waitFor('pod/server', 'condition=Ready', MESH);
});
afterAll(() => deleteNamespaces(MESH, STRICT));

interface Answer {
  host: string;
  headers: Record<string, string>;
}

/** What `call-at-once.ts` prints. */
function answerIn(log: string): Answer {
  expect(log).toMatch(/^200 /);
  return JSON.parse(log.slice(4)) as Answer;
}

const callsServer = ['call-at-once.ts', `http://server.${MESH}/first`];

test('a Job whose application calls in its first moment finds the mesh ready, and completes', async () => {
  const { spec, metadata } = pod(MESH, 'x', callsServer, { spec: { restartPolicy: 'Never' } });
  const template = { metadata: { labels: metadata.labels }, spec };
  await apply({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'caller', namespace: MESH },
    spec: { backoffLimit: 0, template },
  });
  await waitFor('job/caller', 'condition=complete', MESH);
  const { host, headers } = answerIn(await kubectl('logs', '-n', MESH, 'job/caller', '-c', 'app'));
  expect(host).toBe('server');
  expect(headers['x-forwarded-client-cert']).toContain(`URI=spiffe://cluster.local/ns/${MESH}/sa/default`);
});

test('init containers of the application have the mesh too', async () => {
  const initContainers = [{ name: 'first', image: appImage, args: callsServer }];
  await apply(pod(MESH, 'with-init', ['server.ts', '8080'], { spec: { initContainers } }));
  await waitFor('pod/with-init', 'condition=Ready', MESH);
  const { headers } = answerIn(await kubectl('logs', '-n', MESH, 'with-init', '-c', 'first'));
  expect(headers['x-forwarded-client-cert']).toContain('URI=spiffe://');
});

const httpGet = { path: '/healthz', port: 'web', httpHeaders: [{ name: 'x-probe', value: 'yes' }] };
const every = { periodSeconds: 1, failureThreshold: 1 };

const probes: Record<string, object> = {
  http: { httpGet },
  tcp: { tcpSocket: { port: 9000 } },
  grpc: { grpc: { port: 50_051 } },
  exec: { exec: { command: ['/bin/sh', '-c', '! test -e /tmp/sick'] } },
};

const probed = (kind: string): KubernetesObject =>
  pod(STRICT, `probed-${kind}`, ['probed.ts', '8080', '9000', '50051', '/tmp/sick'], {
    container: {
      ports: [{ name: 'web', containerPort: 8080 }],
      startupProbe: { ...probes[kind], ...every, failureThreshold: 30 },
      readinessProbe: { ...probes[kind], ...every },
      livenessProbe: { ...probes[kind], periodSeconds: 1, failureThreshold: 100 },
    },
  });

test('probes of every kind succeed under strict mTLS', async () => {
  const kinds = Object.keys(probes);
  await apply(...kinds.map(probed));
  for (const kind of kinds) await waitFor(`pod/probed-${kind}`, 'condition=Ready', STRICT);
});

test.each(['http', 'grpc', 'exec'])('a %s probe that fails is seen to fail', async kind => {
  const sh = (script: string) =>
    kubectl('exec', '-n', STRICT, `probed-${kind}`, '-c', 'app', '--', '/bin/sh', '-c', script);
  await sh('touch /tmp/sick');
  await waitFor(`pod/probed-${kind}`, 'condition=Ready=false', STRICT, 20);
  await sh('rm /tmp/sick');
  await waitFor(`pod/probed-${kind}`, 'condition=Ready', STRICT, 20);
});

test('pods that are made while there is no control plane come up when it is back', async () => {
  const deployment = `deployment/${controlPlaneName}`;
  await kubectl('scale', '-n', systemNamespace, deployment, '--replicas=0');
  await kubectl(
    'wait',
    '-n',
    systemNamespace,
    'pod',
    '-l',
    `app.kubernetes.io/name=${controlPlaneName}`,
    '--for=delete',
    '--timeout=60s',
  );
  try {
    await apply(pod(MESH, 'orphan', ['server.ts', '8080']));
    await eventually('the sidecar runs', async () => {
      const { status } = await get<{ status: { initContainerStatuses?: { name: string; state: object }[] } }>(
        'pod',
        'orphan',
        MESH,
      );
      const sidecar = status.initContainerStatuses?.find(({ name }) => name === 'tulle-sidecar');
      return sidecar !== undefined && 'running' in sidecar.state ? true : null;
    });
    const { status } = await get<{ status: { conditions: { type: string; status: string }[] } }>(
      'pod',
      'orphan',
      MESH,
    );
    expect(status.conditions).toContainEqual(
      expect.objectContaining({ type: 'Initialized', status: 'False' }),
    );
  } finally {
    await kubectl('scale', '-n', systemNamespace, deployment, '--replicas=2');
    await rolledOut(controlPlaneName, systemNamespace);
  }
  await waitFor('pod/orphan', 'condition=Ready', MESH);
});
