import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { excludedNamespaces } from '../../api/installation.ts';
import { readInjectorSettings } from '../../injector/config/settings.ts';
import { UsageError } from '../usage.ts';
import { manifests, render } from './manifests.ts';
import type { KubernetesObject } from './object.ts';
import { type InstallOptions, parseInstallOptions } from './options.ts';

const plain = parseInstallOptions(['--image', 'localhost/tulle:test']) as InstallOptions;
const objects = manifests(plain);

/** Every object with that member, at any depth. */
function* find(value: unknown, member: string): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  if (Object.hasOwn(value, member)) yield value as Record<string, unknown>;
  for (const child of Object.values(value)) yield* find(child, member);
}

const ofKind = (kind: string): KubernetesObject[] => objects.filter(object => object.kind === kind);

test('golden: the manifests of a plain installation', async () => {
  await expect(render(objects)).toMatchFileSnapshot(
    new URL('./golden/install.yaml', import.meta.url).pathname,
  );
});

test('what is printed is read back as the same objects', () => {
  expect(parseAllDocuments(render(objects)).map(document => document.toJS() as unknown)).toEqual(
    JSON.parse(JSON.stringify(objects)),
  );
});

test('no role has a wildcard, escalates, or reads Secrets other than by name', () => {
  for (const rule of find(objects, 'verbs')) {
    const { verbs, resources, apiGroups } = rule as Record<string, string[]>;
    expect([...verbs, ...resources, ...apiGroups]).not.toContain('*');
    expect(
      verbs.filter(verb => ['escalate', 'bind', 'impersonate', 'deletecollection'].includes(verb)),
    ).toEqual([]);
    if (resources.includes('secrets') && verbs.some(verb => verb !== 'create')) {
      expect(rule.resourceNames).toHaveLength(1);
    }
  }
  const clusterWide = ofKind('ClusterRole').flatMap(role => [...find(role, 'verbs')]);
  expect(clusterWide.filter(({ resources }) => (resources as string[]).includes('secrets'))).toEqual([]);
});

test('every container is locked', () => {
  const deployments = ofKind('Deployment');
  expect(deployments).toHaveLength(2);
  for (const { containers, ...pod } of find(deployments, 'containers')) {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const container of containers as { securityContext: object }[]) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        readOnlyRootFilesystem: true,
      });
    }
  }
});

test('webhooks leave the namespaces of the system alone, and applying them again does not reset caBundle', () => {
  const [configuration] = ofKind('MutatingWebhookConfiguration');
  for (const webhook of configuration.webhooks as { namespaceSelector: { matchExpressions: unknown[] } }[]) {
    expect(webhook.namespaceSelector.matchExpressions).toContainEqual({
      key: 'kubernetes.io/metadata.name',
      operator: 'NotIn',
      values: excludedNamespaces,
    });
  }
  expect([...find(configuration, 'caBundle')]).toEqual([]);
});

test('the environment of the injector is one that it can read', () => {
  const defaults = ['tulle.dev/access-log=errors', 'tulle.dev/skip-outbound-ports=25,587'];
  const options = parseInstallOptions([
    '--image=x:1',
    '--trust-domain=td',
    '--log-level=debug',
    ...defaults.map(annotation => `--pod-default=${annotation}`),
  ]) as InstallOptions;
  const deployment = manifests(options).find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'tulle-injector',
  );
  const [{ env }] = [...find(deployment, 'env')] as { env: { name: string; value: string }[] }[];
  const settings = readInjectorSettings(Object.fromEntries(env.map(({ name, value }) => [name, value])));
  expect(settings).toMatchObject({
    image: 'x:1',
    trustDomain: 'td',
    logLevel: 'debug',
    meshDefaults: {
      accessLog: 'errors',
      skipOutboundPorts: [
        { from: 25, to: 25 },
        { from: 587, to: 587 },
      ],
    },
  });
});

test('options reach the objects', () => {
  const options = parseInstallOptions([
    '--replicas',
    '3',
    '--mtls=strict',
    '--cluster-domain',
    'k.example',
  ]) as InstallOptions;
  const text = render(manifests(options));
  expect(text.match(/replicas: 3/g)).toHaveLength(2);
  expect(text).toContain('- name: TULLE_DEFAULT_MTLS\n              value: strict');
  expect(text.match(/value: k.example/g)).toHaveLength(2);
});

test.each([
  [['--replicas', '0'], '--replicas is "0"; use an integer from 1 to 99'],
  [['--mtls', 'off'], '--mtls is "off"; use permissive or strict'],
  [['--trust-domain', 'Big.example'], '--trust-domain is "Big.example"; use a DNS name in lower case'],
  [['--image', ''], '--image is ""; use the name of an image'],
  [['--pod-default', 'x'], '--pod-default is "x"; use ANNOTATION=VALUE'],
  [['--pod-default', 'tulle.dev/log-level=loud'], 'annotation tulle.dev/log-level is "loud"; use trace or'],
  [
    ['--pod-default', 'tulle.dev/mtls=strict'],
    'annotation tulle.dev/mtls has no effect on a mesh; put it on a namespace or pod',
  ],
  [['--pod-default', 'a.example/b=c'], 'annotation a.example/b is not one of tulle.dev'],
  [['--namespace', 'x'], "Unknown option '--namespace'"],
  [['now'], 'now'],
])('%j is refused', (args, message) => {
  expect(() => parseInstallOptions(args)).toThrow(UsageError);
  expect(() => parseInstallOptions(args)).toThrow(message);
});

test('the command prints manifests, help, or what is wrong', () => {
  const tulle = (...args: string[]) =>
    spawnSync(process.execPath, [new URL('../tulle.ts', import.meta.url).pathname, ...args], {
      encoding: 'utf8',
    });
  expect(tulle('install', '--image', 'localhost/tulle:test')).toMatchObject({
    status: 0,
    stdout: render(objects),
    stderr: '',
  });
  expect(tulle('install', '--help').stdout).toContain('usage: tulle install');
  expect(tulle('install', '--replicas', 'x')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: 'tulle install: --replicas is "x"; use an integer from 1 to 99\n',
  });
  expect(tulle('nonsense')).toMatchObject({ status: 2, stdout: '' });
  expect(tulle('injector', '--port').status).toBe(2);
  expect(tulle('version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
