import { once } from 'node:events';
import { type Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import { createAuthority, issue } from '../certificates/authority.ts';
import type { NamespaceFacts } from '../decide/decision.ts';
import { createAdminServer } from './admin-server.ts';
import { injectorMetrics } from './metrics.ts';
import { reviewNamespace } from './namespaces.ts';
import { reviewPod } from './pods.ts';
import { createWebhookServer } from './server.ts';

const NAME = 'tulle-injector.tulle-system.svc';
const authority = createAuthority(Date.now(), 3_600_000);
const serving = issue(authority, [NAME], Date.now(), 3_600_000);
const lines: string[] = [];
const log = createLogger('injector', 'info', { write: line => void lines.push(line) });

const namespaces: Record<string, NamespaceFacts> = {
  shop: { name: 'shop', annotations: {}, labels: { 'tulle.dev/inject': 'enabled' } },
  other: { name: 'other', annotations: {}, labels: {} },
};

const metrics = injectorMetrics(() => serving.notAfter);
const mesh = {
  image: 'tulle:1',
  version: '1',
  trustDomain: 'td',
  clusterDomain: 'cd',
  controlPlane: 'cp:14010',
};
const server = createWebhookServer({
  handlers: {
    '/mutate/pods': review =>
      reviewPod(review, {
        mesh,
        defaults: {},
        namespace: name =>
          namespaces[name] === undefined
            ? Promise.reject(new Error('gone'))
            : Promise.resolve(namespaces[name]),
      }),
    '/mutate/namespaces': reviewNamespace,
  },
  metrics,
  clock: systemClock,
  log,
});

beforeAll(async () => {
  server.setSecureContext(serving);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

interface Reply {
  status: number;
  body: string;
}

function post(path: string, body: string, options: { method?: string; type?: string; agent?: Agent } = {}) {
  const { port } = server.address() as AddressInfo;
  return new Promise<Reply>((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: options.method ?? 'POST',
        ca: authority.cert,
        servername: NAME,
        headers: { 'content-type': options.type ?? 'application/json' },
      },
      response => {
        let text = '';
        response.setEncoding('utf8').on('data', chunk => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

interface ReviewResponse {
  uid: string;
  allowed: boolean;
  status?: { code: number; message: string };
  warnings?: string[];
  patch?: string;
  auditAnnotations: Record<string, string>;
}

async function review(path: string, given: object): Promise<ReviewResponse> {
  const question = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u-1', operation: 'CREATE', namespace: 'shop', ...given },
  };
  const { status, body } = await post(`${path}?timeout=5s`, JSON.stringify(question));
  expect(status, body).toBe(200);
  const answer = JSON.parse(body) as { kind: string; apiVersion: string; response: ReviewResponse };
  expect(answer).toMatchObject({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' });
  expect(answer.response.uid).toBe('u-1');
  return answer.response;
}

const pod = (spec: object = {}, metadata: object = {}) => ({
  metadata,
  spec: { containers: [{ name: 'app' }], ...spec },
});
const patchOf = ({ patch }: ReviewResponse): { op: string; path: string }[] =>
  JSON.parse(Buffer.from(patch ?? '', 'base64').toString());

test('a pod of an enabled namespace is patched', async () => {
  const response = await review('/mutate/pods', { object: pod() });
  expect(response).toMatchObject({
    allowed: true,
    auditAnnotations: { outcome: 'patched', reason: 'injected' },
  });
  expect(patchOf(response).map(({ op, path }) => `${op} ${path}`)).toEqual([
    'add /metadata/annotations',
    'add /metadata/labels',
    'add /spec/initContainers',
    'add /spec/volumes',
  ]);
});

test('a pod that is skipped is admitted as it is, with the reason for audit and a warning', async () => {
  const response = await review('/mutate/pods', { object: pod({ hostNetwork: true }) });
  expect(response).toMatchObject({
    allowed: true,
    auditAnnotations: { outcome: 'allowed', reason: 'host_network' },
  });
  expect(response.patch).toBeUndefined();
  expect(response.warnings?.[0]).toContain('no sidecar is injected: the pod uses the network of its node');
  expect(lines.at(-1)).toContain('"reason":"host_network"');
});

test('a refusal names field, value and remedy', async () => {
  const object = pod({}, { annotations: { 'tulle.dev/skip-inbound-ports': 'x' } });
  const response = await review('/mutate/pods', { object });
  expect(response).toMatchObject({ allowed: false, status: { code: 403 } });
  expect(response.status?.message).toMatch(
    /^the pod cannot be injected: annotation tulle.dev\/skip-inbound-ports is "x"; use ports from 1/,
  );
});

test('an ephemeral container that runs as the sidecar is refused in a meshed pod only', async () => {
  const ephemeralContainers = [{ name: 'debug', securityContext: { runAsUser: 14337 } }];
  const of = { operation: 'UPDATE', subResource: 'ephemeralcontainers' };
  const meshed = pod({ ephemeralContainers }, { labels: { 'tulle.dev/injected': 'true' } });
  const refused = await review('/mutate/pods', { ...of, object: meshed });
  expect(refused).toMatchObject({ allowed: false, auditAnnotations: { reason: 'proxy_uid_used' } });
  expect(await review('/mutate/pods', { ...of, object: pod({ ephemeralContainers }) })).toMatchObject({
    allowed: true,
  });
});

const label = { 'tulle.dev/inject': 'enabled' };

test.each([
  [
    'set with the annotation',
    { annotations: label },
    null,
    'label_set',
    [{ op: 'add', path: '/metadata/labels', value: label }],
  ],
  [
    'removed with it',
    { labels: label },
    { labels: label, annotations: label },
    'label_removed',
    [{ op: 'remove', path: '/metadata/labels/tulle.dev~1inject' }],
  ],
  [
    'corrected',
    { labels: { 'tulle.dev/inject': 'disabled' }, annotations: label },
    null,
    'label_set',
    [{ op: 'replace', path: '/metadata/labels/tulle.dev~1inject', value: 'enabled' }],
  ],
])("a namespace's label is %s", async (_how, metadata, before, reason, patch) => {
  const response = await review('/mutate/namespaces', {
    object: { metadata },
    oldObject: before === null ? null : { metadata: before },
  });
  expect(response).toMatchObject({ allowed: true, auditAnnotations: { reason } });
  expect(patchOf(response)).toEqual(patch);
});

test.each([
  ['agrees', { labels: label, annotations: label }, null],
  ["is the user's own", { labels: label }, null],
  ['was so before', { labels: label }, { labels: label }],
  ['is missing without an annotation', {}, null],
])("a namespace's label is left alone where it %s", async (_how, metadata, before) => {
  const oldObject = before === null ? null : { metadata: before };
  const response = await review('/mutate/namespaces', { object: { metadata }, oldObject });
  expect(response).toMatchObject({ allowed: true });
  expect(response.patch).toBeUndefined();
});

test.each([
  [
    { annotations: { 'tulle.dev/inject': 'yes' } },
    'annotation tulle.dev/inject is "yes"; use enabled or disabled',
  ],
  [{ labels: { 'tulle.dev/inject': 'yes' } }, 'label tulle.dev/inject is "yes"; use enabled or disabled'],
  [
    { annotations: { 'tulle.dev/mtls': 'off' } },
    'annotation tulle.dev/mtls is "off"; use permissive or strict',
  ],
])('a namespace with invalid values is refused: %j', async (metadata, problem) => {
  const response = await review('/mutate/namespaces', { object: { metadata } });
  expect(response.status?.message).toBe(`the namespace is not accepted: ${problem}`);
});

test.each([
  ['another path', 404, () => post('/mutate/nodes', '{}')],
  ['another method', 405, () => post('/mutate/pods', '{}', { method: 'PUT' })],
  ['another type', 415, () => post('/mutate/pods', '{}', { type: 'text/plain' })],
  ['no JSON', 400, () => post('/mutate/pods', '{')],
  ['no review', 400, () => post('/mutate/pods', '{"kind":"Pod"}')],
  [
    'an old version',
    400,
    () => post('/mutate/pods', '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}'),
  ],
  ['no pod', 400, () => post('/mutate/pods', rawReview('{"metadata":{}}'))],
  [
    'a namespace that cannot be read',
    500,
    () => post('/mutate/pods', rawReview('{"spec":{"containers":[]}}', 'nowhere')),
  ],
  ['more than 3 MiB', 413, () => post('/mutate/pods', rawReview(`{"x":"${'a'.repeat(3 * 1024 * 1024)}"}`))],
])('%s is answered with %i', async (_what, status, send) => {
  const reply = await send();
  expect(reply.status).toBe(status);
  expect(reply.body.trim()).not.toBe('');
  expect(reply.body, 'no stack trace').not.toContain('.ts:');
});

function rawReview(object: string, namespace = 'shop'): string {
  return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"CREATE","namespace":"${namespace}","object":${object}}}`;
}

test('nesting without end does not end the process', async () => {
  const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
  const { status } = await post(
    '/mutate/pods',
    rawReview(`{"metadata":{"x":${deep}},"spec":{"containers":[]}}`),
  );
  expect([200, 400, 500]).toContain(status);
  await review('/mutate/pods', { object: pod() });
});

test('metrics count reviews by outcome and reason; readiness names what it waits for', async () => {
  let waiting = ['serving certificate'];
  const admin = createAdminServer({ registry: metrics.registry, waiting: () => waiting }).listen(
    0,
    '127.0.0.1',
  );
  await once(admin, 'listening');
  const { port } = admin.address() as AddressInfo;
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  const notReady = await get('/ready');
  expect([notReady.status, await notReady.text()]).toEqual([503, 'waiting for serving certificate\n']);
  waiting = [];
  expect((await get('/ready')).status).toBe(200);
  expect((await get('/live')).status).toBe(200);
  expect((await get('/config')).status).toBe(404);
  const text = await (await get('/metrics')).text();
  expect(text).toMatch(
    /tulle_admission_reviews_total\{webhook="\/mutate\/pods",outcome="allowed",reason="host_network"\} 1/,
  );
  expect(text).toMatch(
    /tulle_admission_reviews_total\{webhook="none",outcome="errored",reason="http_404"\} 1/,
  );
  expect(text).toContain(`tulle_webhook_certificate_expiry_timestamp_seconds ${serving.notAfter / 1000}`);
  admin.close();
});
