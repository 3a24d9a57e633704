/** Tokens and the authority's Secret against the API server that KUBECONFIG names. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kubernetesReviewer } from '../../control-plane/identity/kubernetes-reviewer.ts';
import { LiveAuthority } from '../../control-plane/identity/live-authority.ts';
import { secretStore } from '../../control-plane/identity/secret-store.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { silent } from './identity-fixture.ts';

const { KUBECONFIG = '' } = process.env;
if (KUBECONFIG === '') console.log('skipped: identity-kubernetes needs a cluster; set KUBECONFIG');
const onCluster = test.skipIf(KUBECONFIG === '');

const namespace = `tulle-identity-${randomBytes(3).toString('hex')}`;
const base = `/api/v1/namespaces/${namespace}`;
let api: ApiClient;

beforeAll(async () => {
  if (KUBECONFIG === '') return;
  api = new ApiClient(await findCredentials(process.env));
  await api.create('/api/v1/namespaces', { metadata: { name: namespace } });
  await api.create(`${base}/serviceaccounts`, { metadata: { name: 'web' } });
  const spec = {
    serviceAccountName: 'web',
    // It is never run: a token is bound to the object.
    schedulerName: 'nobody',
    containers: [{ name: 'app', image: 'localhost/none' }],
  };
  await api.create(`${base}/pods`, { metadata: { name: 'web-1' }, spec });
});
afterAll(async () => {
  if (KUBECONFIG === '') return;
  await api.delete(`/api/v1/namespaces/${namespace}`);
  await api.close();
});

/** A token of the service account, as the kubelet asks for it. */
async function token(audience: string, pod: string | null): Promise<string> {
  const bound = pod === null ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } };
  const { status } = await api.create<{ status: { token: string } }>(`${base}/serviceaccounts/web/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [audience], expirationSeconds: 600, ...bound },
  });
  return status.token;
}

onCluster('a projected token proves namespace, service account and pod', async () => {
  expect(await kubernetesReviewer(api).review(await token('tulle.dev', 'web-1'))).toEqual({
    kind: 'proven',
    workload: { namespace, serviceAccount: 'web', pod: 'web-1' },
  });
});

onCluster('a token for another audience is refused, and the answer says which it has', async () => {
  const review = await kubernetesReviewer(api).review(
    await token('https://kubernetes.default.svc.cluster.local', 'web-1'),
  );
  expect(review).toMatchObject({ kind: 'refused' });
  expect(review).toHaveProperty(
    'reason',
    expect.stringMatching(
      /audience \["https:\/\/kubernetes\.default.*mount a projected token with audience tulle\.dev/s,
    ),
  );
});

onCluster('a token that is bound to no pod is refused', async () => {
  const review = await kubernetesReviewer(api).review(await token('tulle.dev', null));
  expect(review).toMatchObject({
    kind: 'refused',
    reason: expect.stringContaining('bound to no pod') as string,
  });
});

onCluster('what is no token is refused', async () => {
  const review = await kubernetesReviewer(api).review('not-a-token');
  expect(review).toMatchObject({
    kind: 'refused',
    reason: expect.stringContaining('refused by the API server') as string,
  });
});

onCluster('two replicas that start at once agree on one Secret, also if it exists without data', async () => {
  for (const name of ['tulle-ca', 'tulle-ca-empty']) {
    if (name === 'tulle-ca-empty') await api.create(`${base}/secrets`, { metadata: { name } });
    const store = secretStore(api, namespace, name);
    const [a, b] = await Promise.all([
      LiveAuthority.open(store, systemClock, silent()),
      LiveAuthority.open(secretStore(api, namespace, name), systemClock, silent()),
    ]);
    expect(a.current.bundlePem).toBe(b.current.bundlePem);
    expect((await store.read())?.roots).toBe(a.current.bundlePem);
    a.stop();
    b.stop();
  }
});

onCluster('an API server that is away is told as such', async () => {
  const away = new ApiClient({ ...(await findCredentials(process.env)), server: 'https://127.0.0.1:1' });
  expect(await kubernetesReviewer(away).review('x')).toMatchObject({ kind: 'unavailable' });
  await away.close();
});
