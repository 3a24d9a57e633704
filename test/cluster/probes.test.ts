/** The kubelet's probes, and plaintext from outside of the mesh, under strict and permissive mTLS. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  apply,
  eventually,
  exec,
  get as getObject,
  kubectl,
  tryKubectl,
  waitFor,
} from './harness/kubectl.ts';
import { deleteNamespaces, disabled, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { call, get } from './mesh/client.ts';
import { clientPod, service, testPod } from './mesh/workloads.ts';

const NS = 'tulle-test-probes';
const strict = { 'tulle.dev/mtls': 'strict' };
const permissive = { 'tulle.dev/mtls': 'permissive' };

const control = (path: string): string[] => [
  '/usr/bin/curl',
  '-sf',
  '-X',
  'PUT',
  `http://127.0.0.1:8080${path}`,
];

/** What each probe asks, and what makes it fail. */
const kinds = {
  http: { probe: { httpGet: { path: '/healthy', port: 'web' } }, failure: control('/fail?on=true') },
  tcp: { probe: { tcpSocket: { port: 6000 } }, failure: control('/close') },
  grpc: { probe: { grpc: { port: 9000 } }, failure: control('/fail?on=true') },
  exec: { probe: { exec: { command: ['test', '-e', '/tmp/healthy'] } }, failure: ['rm', '/tmp/healthy'] },
} as const;

type Kind = keyof typeof kinds;

const timing = { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 3 };
const ports = [{ name: 'web', containerPort: 8080 }];
const start = { command: ['sh', '-c', 'touch /tmp/healthy; exec /usr/local/bin/node /app/main.mjs server'] };

/** Started, ready and alive, each by the same probe. */
function probed(kind: Kind): object {
  const { probe } = kinds[kind];
  return {
    ...start,
    ports,
    startupProbe: { ...probe, ...timing, failureThreshold: 30 },
    readinessProbe: { ...probe, ...timing },
    // Later than readiness, so that it can be seen that a pod is not ready before it is restarted.
    livenessProbe: { ...probe, ...timing, failureThreshold: 12 },
  };
}

beforeAll(async () => {
  await freshNamespaces(namespace(NS, enabled));
  await apply(
    ...(Object.keys(kinds) as Kind[]).map(kind =>
      testPod(NS, kind, { annotations: strict, container: probed(kind) }),
    ),
    testPod(NS, 'permissive', { annotations: permissive }),
    service(NS, 'http', { app: 'http' }, [[80, 8080]]),
    clientPod(NS, 'client'),
    clientPod(NS, 'outsider', { annotations: disabled }),
  );
  for (const pod of ['client', 'outsider', 'permissive']) await waitFor(`pod/${pod}`, 'condition=Ready', NS);
});
afterAll(() => deleteNamespaces(NS));

interface PodStatus {
  status: { podIP: string; containerStatuses: { restartCount: number }[] };
}

const statusOf = async (name: string): Promise<PodStatus['status']> =>
  (await getObject<PodStatus>('pod', name, NS)).status;

describe('under strict mTLS, for probes of HTTP, TCP, gRPC and exec', () => {
  test('pods become ready, and stay so', async () => {
    const names = Object.keys(kinds);
    for (const kind of names) await waitFor(`pod/${kind}`, 'condition=Ready', NS);
    const pods = names.map(kind => `pod/${kind}`);
    const any = await Promise.all(
      pods.map(pod => tryKubectl(['wait', '-n', NS, pod, '--for=condition=Ready=false', '--timeout=8s'])),
    );
    for (const { stderr } of any) expect(stderr).toContain('timed out');
    for (const kind of names) expect((await statusOf(kind)).containerStatuses[0].restartCount).toBe(0);
  });

  test.concurrent.each(Object.keys(kinds) as Kind[])(
    'a pod that fails is not ready, then is restarted: %s',
    async kind => {
      await exec(NS, kind, 'app', ...kinds[kind].failure);
      await waitFor(`pod/${kind}`, 'condition=Ready=false', NS);
      await waitFor(`pod/${kind}`, 'jsonpath={.status.containerStatuses[0].restartCount}=1', NS);
      await waitFor(`pod/${kind}`, 'condition=Ready', NS);
    },
  );
});

describe('plaintext from a pod outside of the mesh', () => {
  const addressOf = async (pod: string): Promise<string> => (await statusOf(pod)).podIP;

  test('is refused under strict mTLS, and the answer says why', async () => {
    const { statuses, errors } = await get(NS, 'outsider', `http://${await addressOf('http')}:8080/`);
    expect(statuses).toEqual({ 403: 1 });
    expect(Object.keys(errors)).toEqual([expect.stringMatching(/^MTLS_REQUIRED; /)]);
    // The pod has just been restarted: kube-proxy learns of its endpoint a moment after the kubelet says Ready.
    const throughService = await eventually('the endpoint in kube-proxy', async () => {
      const { statuses } = await get(NS, 'outsider', `http://http.${NS}/`);
      return Object.keys(statuses).some(status => status.includes('ECONNREFUSED')) ? null : statuses;
    });
    expect(throughService).toEqual({ 403: 1 });
  });

  test('of an opaque protocol is closed under strict mTLS, without a byte of the application', async () => {
    const host = await addressOf('tcp');
    const { statuses, text } = await call(NS, 'outsider', {
      kind: 'tcp',
      host,
      port: 6000,
      banner: 'never',
      text: '',
    });
    expect(text).toBe('');
    expect(statuses.OK).toBeUndefined();
  });

  test('is accepted under permissive mTLS, without an identity', async () => {
    const { statuses, bodies } = await get(NS, 'outsider', `http://${await addressOf('permissive')}:8080/`);
    expect(statuses).toEqual({ 200: 1 });
    expect(bodies[0]).toMatchObject({ caller: '' });
  });

  test('is no matter to callers inside: they are accepted under strict mTLS', async () => {
    await waitFor('pod/http', 'condition=Ready', NS);
    const { statuses, bodies } = await get(NS, 'client', `http://http.${NS}/`);
    expect(statuses).toEqual({ 200: 1 });
    expect(bodies[0]).toMatchObject({ caller: `spiffe://cluster.local/ns/${NS}/sa/default` });
  });
});

test('the kubelet reports no failed probe of a sidecar', async () => {
  const events = await kubectl('get', 'events', '-n', NS, '--field-selector=reason=Unhealthy', '-o', 'json');
  const { items } = JSON.parse(events) as {
    items: { involvedObject: { fieldPath?: string }; message: string }[];
  };
  const ofSidecars = items.filter(
    ({ involvedObject, message }) =>
      involvedObject.fieldPath === 'spec.initContainers{tulle-sidecar}' && !message.startsWith('Startup'),
  );
  expect(ofSidecars.map(({ message }) => message)).toEqual([]);
});
