/** The injector as the API server sees it: pods and namespaces are created as dry runs, with all that happens to them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemNamespace } from '../../api/installation.ts';
import { create, get, type KubernetesObject, kubectl, tryKubectl } from './harness/kubectl.ts';
import { run } from './harness/run.ts';
import {
  deleteNamespaces,
  disabled,
  enabled,
  freshNamespaces,
  namespace,
  type PodOptions,
  pod,
} from './harness/scenario.ts';
import { tulle } from './harness/setup.ts';

const SHOP = 'tulle-test-shop';
const OTHER = 'tulle-test-other';
const OFF = 'tulle-test-off';

beforeAll(() =>
  freshNamespaces(
    namespace(SHOP, { ...enabled, 'tulle.dev/access-log': 'errors' }),
    namespace(OTHER),
    namespace(OFF, disabled),
  ),
);
afterAll(() => deleteNamespaces(SHOP, OTHER, OFF));

interface Spec {
  initContainers?: {
    name: string;
    volumeMounts?: { name: string; mountPath: string }[];
    env?: { name: string; value?: string }[];
  }[];
}

const specOf = (object: KubernetesObject | null): Spec => (object?.spec ?? {}) as Spec;

const initContainers = (object: KubernetesObject | null): string[] =>
  (specOf(object).initContainers ?? []).map(({ name }) => name);

const admit = (of: string, options: PodOptions = {}) => create(pod(of, 'app', ['server'], options), true);

/** The injector's own records of a pod that it has seen, by the pod's name. */
async function reasonsFor(name: string): Promise<string[]> {
  const selector = 'app.kubernetes.io/name=tulle-injector';
  const logs = await kubectl('logs', '-n', systemNamespace, '-l', selector, '--tail=-1', '--since=60s');
  const lines = logs
    .split('\n')
    .filter(line => line.includes(`"name":"${name}"`) && line.includes('"msg":"review"'));
  return lines.map(line => (JSON.parse(line) as { reason: string }).reason);
}

describe('pods', () => {
  test('of an annotated namespace are injected, with redirection and sidecar first', async () => {
    const { object, warnings } = await admit(SHOP, {
      spec: { initContainers: [{ name: 'migrate', image: 'x:1' }] },
    });
    expect(initContainers(object)).toEqual(['tulle-init', 'tulle-sidecar', 'migrate']);
    expect(warnings).toEqual([]);
    expect(object?.metadata.labels).toMatchObject({ 'tulle.dev/injected': 'true' });
  });

  test('settings of the namespace reach the sidecar', async () => {
    const { object } = await admit(SHOP);
    const sidecar = specOf(object).initContainers?.[1];
    expect(sidecar?.env).toContainEqual({ name: 'TULLE_ACCESS_LOG', value: 'errors' });
  });

  test("the sidecar does not get the pod's token for the API server, and one review is enough", async () => {
    const { object } = await create(pod(SHOP, 'once', [], {}), true);
    const mounts = specOf(object).initContainers?.flatMap(of => of.volumeMounts ?? []);
    expect(mounts?.map(({ name, mountPath }) => `${name} ${mountPath}`)).toEqual([
      'tulle-trust /var/run/secrets/kubernetes.io/serviceaccount',
      'tulle-token /var/run/tulle/token',
      'tulle-trust /var/run/tulle/trust',
      'tulle-trust /var/run/secrets/kubernetes.io/serviceaccount',
    ]);
    expect(await reasonsFor('once')).toEqual(['injected']);
  });

  test.each([
    ['another namespace', OTHER, {}, []],
    ['a disabled namespace', OFF, {}, []],
    ['that say no by annotation', SHOP, { annotations: disabled }, []],
    ['that say no by label', SHOP, { labels: disabled }, []],
    ['that ask by annotation', OTHER, { annotations: enabled }, ['tulle-init', 'tulle-sidecar']],
    ['that ask by label', OTHER, { labels: enabled }, ['tulle-init', 'tulle-sidecar']],
    ['that ask, in a disabled namespace', OFF, { annotations: enabled }, ['tulle-init', 'tulle-sidecar']],
    ['of the system, even if they ask', 'kube-system', { labels: enabled }, []],
  ])('%s (%s)', async (_which, of, options, expected) => {
    const { object, error } = await admit(of, options);
    expect(error).toBe('');
    expect(initContainers(object)).toEqual(expected);
  });

  test('with the network of the node are left alone, with a warning', async () => {
    const { object, warnings } = await admit(SHOP, { spec: { hostNetwork: true } });
    expect(initContainers(object)).toEqual([]);
    expect(warnings).toEqual([
      'no sidecar is injected: the pod uses the network of its node, where redirection would affect other pods',
    ]);
  });

  test.each([
    ['host-network', { spec: { hostNetwork: true } }, 'host_network'],
    ['said-no', { annotations: disabled }, 'disabled_by_pod'],
  ])('%s: the reason is in the log of the injector', async (name, options, reason) => {
    await create(pod(SHOP, name, [], options), true);
    expect(await reasonsFor(name)).toEqual([reason]);
  });

  test('that were injected before are not changed again', async () => {
    const first = await create(pod(SHOP, 'first', ['server'], probed), true);
    const copy = { ...(first.object as KubernetesObject) };
    copy.metadata = { ...pod(SHOP, 'copy', []).metadata, ...annotationsAndLabels(first.object) };
    const second = await create(copy, true);
    expect(second.error).toBe('');
    expect(await reasonsFor('copy')).toEqual(['already_injected']);
    expect(second.object?.spec).toEqual(first.object?.spec);
  });

  test('with a container of a later webhook are injected again, and its probes are taken over too', async () => {
    const first = await create(pod(SHOP, 'first', ['server'], probed), true);
    const copy = structuredClone(first.object) as KubernetesObject & { spec: { containers: object[] } };
    copy.metadata = { ...pod(SHOP, 'late', []).metadata, ...annotationsAndLabels(first.object) };
    copy.spec.containers.push({ name: 'late', image: 'x:1', livenessProbe: { tcpSocket: { port: 9 } } });
    const { object } = await create(copy, true);
    expect(await reasonsFor('late')).toEqual(['injected']);
    const table = specOf(object).initContainers?.[1].env?.find(({ name }) => name === 'TULLE_PROBES')?.value;
    expect(Object.keys(JSON.parse(table ?? '{}'))).toEqual([
      '/probe/app/readinessProbe',
      '/probe/late/livenessProbe',
    ]);
  });

  test.each([
    [
      { annotations: { 'tulle.dev/skip-inbound-ports': '80,x' } },
      'annotation tulle.dev/skip-inbound-ports is "80,x"; use ports from 1 to 65535',
    ],
    [
      { annotations: { 'tulle.dev/inject': 'yes' } },
      'annotation tulle.dev/inject is "yes"; use enabled or disabled',
    ],
    [
      { container: { securityContext: { runAsUser: 14337 } } },
      'spec.containers[app].securityContext.runAsUser is 14337, the user of the sidecar',
    ],
    [
      { spec: { initContainers: [{ name: 'tulle-sidecar', image: 'x:1' }] } },
      'a container is named tulle-sidecar',
    ],
  ])('%j is refused', async (options, message) => {
    const { object, error } = await admit(SHOP, options);
    expect(object).toBeNull();
    expect(error).toContain(
      'admission webhook "pods.tulle.dev" denied the request: the pod cannot be injected: ',
    );
    expect(error).toContain(message);
  });

  test('with an unknown annotation are injected, with a warning', async () => {
    const { object, warnings } = await admit(SHOP, { annotations: { 'tulle.dev/image': 'evil' } });
    expect(initContainers(object)).toContain('tulle-sidecar');
    expect(warnings).toEqual(['annotation tulle.dev/image is unknown and has no effect']);
  });

  test('of a Deployment come out the same way', async () => {
    const { spec, metadata } = pod(SHOP, 'x', ['server'], { labels: { app: 'web' } });
    const template = { metadata: { labels: metadata.labels }, spec };
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: SHOP },
      spec: { replicas: 1, selector: { matchLabels: { app: 'web' } }, template },
    };
    await create(deployment);
    await kubectl('wait', '-n', SHOP, 'pod', '-l', 'app=web', '--for=create', '--timeout=30s');
    const pods = JSON.parse(await kubectl('get', 'pods', '-n', SHOP, '-l', 'app=web', '-o', 'json')) as {
      items: KubernetesObject[];
    };
    expect(initContainers(pods.items[0])).toEqual(['tulle-init', 'tulle-sidecar']);
  });
});

test('`tulle injection` says of every pod why it has a sidecar or has none', async () => {
  await create(pod(SHOP, 'on-node', [], { spec: { hostNetwork: true } }));
  await create(pod(SHOP, 'said-no', [], { labels: disabled }));
  await create(pod(OTHER, 'plain', []));
  await create(pod(OFF, 'off', []));
  await create(pod(SHOP, 'meshed', []));
  await create(pod(OTHER, 'late', []));
  await kubectl('annotate', '-n', OTHER, 'pod', 'late', 'tulle.dev/inject=enabled');
  const { code, stdout } = await run(process.execPath, [tulle, 'injection']);
  expect(code, 'one is missing').toBe(1);
  const stateOf = (of: string, name: string): string =>
    new RegExp(`^${of} +${name} +(\\S+ +[^ :]+)`, 'm').exec(stdout)?.[1].replace(/ +/, ' ') ?? stdout;
  expect(stateOf(SHOP, 'on-node')).toBe('skipped host_network');
  expect(stateOf(SHOP, 'said-no')).toBe('skipped disabled_by_pod');
  expect(stateOf(OTHER, 'plain')).toBe('skipped not_enabled');
  expect(stateOf(OFF, 'off')).toBe('skipped disabled_by_namespace');
  expect(stateOf(SHOP, 'meshed')).toBe('injected version');
  expect(stateOf(OTHER, 'late')).toBe('missing it');
  expect(stateOf(systemNamespace, 'tulle-injector-\\S+')).toBe('skipped system_namespace');
});

const probed: PodOptions = {
  container: { readinessProbe: { tcpSocket: { port: 8080 } } },
  annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9100' },
};

function annotationsAndLabels(object: KubernetesObject | null) {
  return { annotations: object?.metadata.annotations ?? {}, labels: object?.metadata.labels ?? {} };
}

describe('namespaces', () => {
  const LABEL = 'tulle.dev/inject';
  const labelOf = (object: KubernetesObject | null): string | undefined => object?.metadata.labels?.[LABEL];

  test('get the label with the annotation, in the same write', async () => {
    expect(labelOf((await create(namespace('tulle-test-new', enabled), true)).object)).toBe('enabled');
    expect(labelOf((await create(namespace('tulle-test-new', disabled), true)).object)).toBe('disabled');
    expect(labelOf((await create(namespace('tulle-test-new'), true)).object)).toBeUndefined();
  });

  test('lose it with the annotation, and keep one of their own', async () => {
    await kubectl('annotate', 'namespace', OTHER, `${LABEL}=enabled`);
    expect(labelOf(await get('namespace', OTHER))).toBe('enabled');
    await kubectl('annotate', 'namespace', OTHER, `${LABEL}-`);
    expect(labelOf(await get('namespace', OTHER))).toBeUndefined();
    await kubectl('label', 'namespace', OTHER, `${LABEL}=enabled`);
    await kubectl('annotate', 'namespace', OTHER, 'example.com/x=y');
    expect(labelOf(await get('namespace', OTHER))).toBe('enabled');
    expect(initContainers((await admit(OTHER)).object)).toContain('tulle-sidecar');
    await kubectl('label', 'namespace', OTHER, `${LABEL}-`);
  });

  test('with a label that disagrees are put right, with a warning', async () => {
    const { code, stderr } = await tryKubectl([
      'label',
      'namespace',
      SHOP,
      `${LABEL}=disabled`,
      '--overwrite',
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain(
      'Warning: label tulle.dev/inject: disabled becomes enabled, as the annotation says',
    );
    expect(labelOf(await get('namespace', SHOP))).toBe('enabled');
  });

  test.each([
    ['tulle.dev/inject=true', 'annotation tulle.dev/inject is "true"; use enabled or disabled'],
    ['tulle.dev/mtls=off', 'annotation tulle.dev/mtls is "off"; use permissive or strict'],
  ])('with %s are refused', async (annotation, message) => {
    const { code, stderr } = await tryKubectl(['annotate', 'namespace', OTHER, annotation]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      `admission webhook "namespaces.tulle.dev" denied the request: the namespace is not accepted: ${message}`,
    );
  });
});
