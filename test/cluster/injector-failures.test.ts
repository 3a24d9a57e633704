/** The injector when something is wrong: not there, restarting, its certificates overwritten, installed late. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemNamespace, webhookConfigurationName, webhookSecretName } from '../../api/installation.ts';
import { create, eventually, get, type KubernetesObject, kubectl, rolledOut } from './harness/kubectl.ts';
import { must } from './harness/run.ts';
import { deleteNamespaces, disabled, enabled, freshNamespaces, namespace, pod } from './harness/scenario.ts';
import { installManifests } from './harness/setup.ts';

const SHOP = 'tulle-test-shop';
const OTHER = 'tulle-test-other';
const EARLY = 'tulle-test-early';

beforeAll(() => freshNamespaces(namespace(SHOP, enabled), namespace(OTHER), namespace(EARLY)));
afterAll(() => deleteNamespaces(SHOP, OTHER, EARLY));

const reinstall = async (): Promise<void> => {
  await must('kubectl', ['apply', '-f', '-'], { input: await installManifests() });
};

const injected = async (of: string): Promise<boolean> => {
  const { object, error } = await create(pod(of, 'app', []), true);
  if (object === null) throw new Error(error);
  return object.metadata.labels?.['tulle.dev/injected'] === 'true';
};

interface Webhooks {
  webhooks: { clientConfig: { caBundle?: string } }[];
}
const bundles = async (): Promise<(string | undefined)[]> =>
  (await get<Webhooks>('mutatingwebhookconfiguration', webhookConfigurationName)).webhooks.map(
    ({ clientConfig }) => clientConfig.caBundle,
  );

test('a caBundle that somebody overwrites is put back', async () => {
  const [before] = await bundles();
  const patch = [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: 'Cg==' }];
  await kubectl(
    'patch',
    'mutatingwebhookconfiguration',
    webhookConfigurationName,
    '--type=json',
    `-p=${JSON.stringify(patch)}`,
  );
  await eventually('caBundle', async () => ((await bundles())[0] === before ? true : null));
  await eventually('injection', async () => ((await injected(SHOP)) ? true : null));
});

test('applying the manifests again leaves caBundle and authorities as they are', async () => {
  const before = [await bundles(), (await get('secret', webhookSecretName, systemNamespace)).data];
  await reinstall();
  expect([await bundles(), (await get('secret', webhookSecretName, systemNamespace)).data]).toEqual(before);
});

test('a namespace that was annotated before the installation is covered after it', async () => {
  await kubectl('delete', 'mutatingwebhookconfiguration', webhookConfigurationName);
  await kubectl('annotate', 'namespace', EARLY, 'tulle.dev/inject=enabled');
  await eventually('label', async () => {
    const { metadata } = await get<KubernetesObject>('namespace', EARLY);
    return metadata.labels?.['tulle.dev/inject'] === 'enabled' ? true : null;
  });
  await reinstall();
  await eventually('injection', async () => ((await injected(EARLY)) ? true : null));
});

test('authorities that are lost are made anew, by one replica for all', async () => {
  await kubectl(
    'patch',
    'secret',
    '-n',
    systemNamespace,
    webhookSecretName,
    '--type=json',
    '-p=[{"op":"remove","path":"/data"}]',
  );
  await eventually('authorities', async () => {
    const { data } = await get<{ data?: Record<string, string> }>(
      'secret',
      webhookSecretName,
      systemNamespace,
    );
    return data?.['ca.crt'] === undefined ? null : true;
  });
  // Both replicas have to have noticed: then no review fails, however they are balanced.
  let inARow = 0;
  await eventually('injection by every replica', async () => {
    inARow = (await injected(SHOP)) ? inARow + 1 : 0;
    return inARow >= 20 ? true : null;
  });
});

test('a rolling restart of the injector misses no pod', async () => {
  await kubectl('rollout', 'restart', '-n', systemNamespace, 'deployment/tulle-injector');
  const done = rolledOut('tulle-injector', systemNamespace, 120).then(() => true);
  let running = true;
  void done.finally(() => {
    running = false;
  });
  let pods = 0;
  while (running) {
    expect(await injected(SHOP)).toBe(true);
    pods++;
  }
  await done;
  expect(pods).toBeGreaterThan(5);
});

test('without the injector, pods of enabled namespaces are refused; all else goes on', async () => {
  await kubectl('scale', '-n', systemNamespace, 'deployment/tulle-injector', '--replicas=0');
  await kubectl(
    'wait',
    '-n',
    systemNamespace,
    'pod',
    '-l',
    'app.kubernetes.io/name=tulle-injector',
    '--for=delete',
    '--timeout=60s',
  );
  try {
    const refused = await create(pod(SHOP, 'app', []), true);
    expect(refused.object).toBeNull();
    expect(refused.error).toContain('failed calling webhook "pods.tulle.dev"');
    expect((await create(pod(SHOP, 'app', [], { labels: disabled }), true)).error).toBe('');
    expect(await injected(OTHER)).toBe(false);
    expect((await create(pod(OTHER, 'app', [], { annotations: enabled }), true)).error).toBe('');
    expect((await create(namespace('tulle-test-new'), true)).error).toBe('');
    expect((await create(namespace('tulle-test-new', enabled), true)).error).toContain(
      'failed calling webhook "namespaces.tulle.dev"',
    );
    await kubectl('annotate', 'namespace', SHOP, 'example.com/unrelated=x');
  } finally {
    await kubectl('scale', '-n', systemNamespace, 'deployment/tulle-injector', '--replicas=2');
    await rolledOut('tulle-injector', systemNamespace, 120);
  }
  await eventually('injection', async () => ((await injected(SHOP)) ? true : null));
});
