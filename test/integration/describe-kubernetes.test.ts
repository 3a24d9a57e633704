/**
 * `kubectl describe` is enough to learn why a rule does not work: every reason that can be said, on the API server that
 * KUBECONFIG names, as the real kubectl shows it. Each case has a Service of its own, so that all are there at once.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RecordStore } from '../../control-plane/model/store.ts';
import { KubernetesSource } from '../../control-plane/sources/kubernetes/kubernetes-source.ts';
import { EventWriter } from '../../control-plane/status/event-writer.ts';
import { StatusWriter } from '../../control-plane/status/status-writer.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { createLogger } from '../../runtime/log.ts';
import { cases, NS, objectsOf } from './describe-kubernetes.cases.ts';

const run = promisify(execFile);
const domain = `${NS}.tulle.dev`;

const missing = await whatIsMissing();
if (missing !== null) console.log(`skipped: describe-kubernetes needs ${missing}`);

async function whatIsMissing(): Promise<string | null> {
  if ((process.env.KUBECONFIG ?? '') === '') return 'a cluster; set KUBECONFIG';
  const found = await run('kubectl', ['version', '--client']).then(
    () => true,
    () => false,
  );
  if (!found) return 'kubectl in PATH';
  const groups = ['gateway.networking.k8s.io', 'gateway.networking.x-k8s.io'];
  const { stdout } = await run('kubectl', ['api-versions']);
  const absent = groups.filter(group => !stdout.includes(`${group}/`));
  return absent.length === 0 ? null : `the CRDs of ${absent.join(' and ')}`;
}

async function apply(objects: readonly object[]): Promise<void> {
  const child = run('kubectl', ['apply', '-f', '-']);
  child.child.stdin?.end(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await child;
}

const closers: (() => Promise<unknown>)[] = [];

/** A control plane's store, and what writes of it. */
async function lead(api: ApiClient): Promise<void> {
  const log = createLogger('test', process.env.TULLE_TEST_LOG ?? 'silent');
  const common = { clock: systemClock, random: Math.random, log };
  const store = new RecordStore({
    trustDomain: 'td',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    ...common,
  });
  const source = new KubernetesSource({ api, writer: store, ...common });
  source.start();
  closers.push(() => source.stop());
  await vi.waitFor(() => expect(store.current).not.toBeNull(), { timeout: 15_000 });
  // Others may use the cluster at the same time: their objects are not written.
  const inNamespace = (path: string): boolean => path.includes(`/namespaces/${NS}/`);
  const ours: Pick<ApiClient, 'get' | 'create' | 'patch' | 'replace'> = {
    get: (path, signal) => api.get(path, signal),
    create: <T>(path: string, object: object) =>
      inNamespace(path) ? api.create<T>(path, object) : Promise.resolve(object as T),
    replace: <T>(path: string, object: object) =>
      inNamespace(path) ? api.replace<T>(path, object) : Promise.resolve(object as T),
    patch: (path, type, patch) => api.patch(path, type, patch),
  };
  const options = {
    api: ours,
    store,
    controllerName: `${domain}/control-plane`,
    whenInForce: () => Promise.resolve(),
    isLeader: () => true,
    ...common,
  };
  const writers = [
    new StatusWriter({ ...options, perSecond: 1000 }),
    new EventWriter({ ...options, paceMs: 1 }),
  ];
  for (const writer of writers) {
    closers.push(() => writer.stop());
    writer.leadershipChanged();
  }
}

describe.skipIf(missing !== null)('kubectl describe says why', () => {
  beforeAll(async () => {
    const api = new ApiClient(await findCredentials(process.env));
    closers.push(() => api.close());
    await api.create('/api/v1/namespaces', { metadata: { name: NS } });
    closers.push(() => api.delete(`/api/v1/namespaces/${NS}`));
    await lead(api);
    const sound = objectsOf(['sound', { reason: '', spec: {}, says: [] }])[0];
    await apply([sound, ...Object.entries(cases).flatMap(objectsOf)]);
  }, 60_000);

  afterAll(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  test.each(Object.entries(cases))('%s', async (name, { kind = 'HTTPRoute', reason, says }) => {
    await vi.waitFor(
      async () => {
        const { stdout } = await run('kubectl', ['describe', '-n', NS, kind.toLowerCase(), name]);
        // What is said is one line, in a condition of ours or in an event.
        const lines = stdout.split('\n').filter(line => says.every(part => line.includes(part)));
        expect(lines, `a line with ${says.join(', ')} in\n${stdout}`).not.toEqual([]);
        expect(stdout).toContain(domain);
        const isReason = new RegExp(`^ *(Reason|Type): +${reason}$|^ +Warning +${reason} `, 'm');
        expect(stdout).toMatch(isReason);
      },
      { timeout: 20_000, interval: 200 },
    );
  });
});
