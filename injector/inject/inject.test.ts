import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { readAnnotations, resolveAnnotations } from '../../api/annotations.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { parseProbes } from '../../proxy/config/probe-table.ts';
import { readSettings } from '../../runtime/settings.ts';
import type { Container, Pod } from '../pod.ts';
import type { MeshFacts } from './containers.ts';
import { inject } from './inject.ts';
import { diff, type Json } from './json-patch.ts';

const mesh: MeshFacts = {
  image: 'localhost/tulle:test',
  version: '0.0.0-test',
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  controlPlane: 'tulle-control-plane.tulle-system.svc:14010',
};

const golden = new URL('./golden/', import.meta.url);

function injectWithAnnotations(pod: Pod): { pod: Pod; warnings: string[] } {
  const { values, problems } = readAnnotations('pod', pod.metadata?.annotations);
  expect(problems).toEqual([]);
  return inject(pod, resolveAnnotations(values), mesh);
}

function simple(container: Partial<Container> = {}, metadata: Pod['metadata'] = {}): Pod {
  return { metadata, spec: { containers: [{ name: 'app', image: 'app:1', ...container }] } };
}

function containerOf(pod: Pod, name: string): Container {
  const found = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(c => c.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found;
}

function env(pod: Pod, container: string): Record<string, string | undefined> {
  return Object.fromEntries((containerOf(pod, container).env ?? []).map(({ name, value }) => [name, value]));
}

for (const file of readdirSync(golden).filter(name => name.endsWith('.in.yaml'))) {
  test(`golden: ${file}`, async () => {
    const pod = parse(readFileSync(new URL(file, golden), 'utf8')) as Pod;
    const before = structuredClone(pod);
    const injected = injectWithAnnotations(pod);
    expect(pod, 'the input is not changed').toEqual(before);
    const again = injectWithAnnotations(injected.pod);
    expect(
      diff(injected.pod as unknown as Json, again.pod as unknown as Json),
      'a second pass changes nothing',
    ).toEqual([]);
    await expect(stringify(injected, { lineWidth: 0, aliasDuplicateObjects: false })).toMatchFileSnapshot(
      new URL(file.replace('.in.', '.out.'), golden).pathname,
    );
  });
}

test('redirection comes first, then the sidecar, then the init containers of the application', () => {
  const { pod } = injectWithAnnotations({
    spec: { containers: [{ name: 'app' }], initContainers: [{ name: 'first' }] },
  });
  expect(pod.spec.initContainers?.map(({ name }) => name)).toEqual(['tulle-init', 'tulle-sidecar', 'first']);
});

test('the environment of the sidecar is one that it can read', () => {
  const { pod } = injectWithAnnotations(simple());
  const given = env(pod, 'tulle-sidecar');
  const fields = { TULLE_POD_NAME: 'a', TULLE_POD_NAMESPACE: 'b', TULLE_POD_IP: '10.0.0.1' };
  expect(readSettings(sidecarSettings, { ...given, ...fields })).toMatchObject({
    mode: 'redirect',
    accessLog: 'off',
  });
  const known = new Set<string>(Object.values(sidecarSettings).map(setting => setting.env));
  expect(Object.keys(given).filter(name => !known.has(name))).toEqual([]);
});

test('limits given by annotation reach the sidecar', () => {
  const { pod } = injectWithAnnotations(
    simple({}, { annotations: { 'tulle.dev/limits': 'maxHeadBytes=131072' } }),
  );
  expect(env(pod, 'tulle-sidecar').TULLE_LIMITS).toBe('maxHeadBytes=131072');
  expect(env(injectWithAnnotations(simple()).pod, 'tulle-sidecar')).not.toHaveProperty('TULLE_LIMITS');
});

test('nothing that a user writes reaches image, user, capabilities or environment of the sidecar', () => {
  const evil: Pod = {
    metadata: { annotations: { 'tulle.dev/status': '{}' } },
    spec: {
      containers: [{ name: 'app' }],
      initContainers: [
        {
          name: 'tulle-sidecar',
          image: 'evil',
          env: [{ name: 'NODE_OPTIONS', value: '--require=/evil' }],
          securityContext: { privileged: true, runAsUser: 0 },
          volumeMounts: [{ name: 'evil', mountPath: '/app' }],
        },
        { name: 'tulle-init', image: 'evil', securityContext: { privileged: true } },
      ],
      volumes: [{ name: 'tulle-trust', configMap: { name: 'evil' } }],
    },
  };
  const clean = injectWithAnnotations(simple()).pod;
  const { pod } = injectWithAnnotations(evil);
  expect(pod.spec.initContainers).toEqual(clean.spec.initContainers);
  expect(pod.spec.volumes).toEqual(clean.spec.volumes);
});

test('a second pass covers containers that a later webhook has added, and keeps what it has', () => {
  const first = injectWithAnnotations(
    simple(
      { livenessProbe: { tcpSocket: { port: 80 } } },
      { annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '81' } },
    ),
  ).pod;
  const late: Container = { name: 'late', readinessProbe: { httpGet: { port: 82 } } };
  const { pod } = injectWithAnnotations({
    ...first,
    spec: { ...first.spec, containers: [...first.spec.containers, late] },
  });
  expect(Object.keys(JSON.parse(env(pod, 'tulle-sidecar').TULLE_PROBES ?? ''))).toEqual([
    '/probe/app/livenessProbe',
    '/probe/late/readinessProbe',
  ]);
  expect(env(pod, 'tulle-sidecar').TULLE_APP_METRICS).toBe('http://127.0.0.1:81/metrics');
});

test('resources that LimitRanger has added to the sidecar stay', () => {
  const first = injectWithAnnotations(simple()).pod;
  const limited = structuredClone(first) as { spec: { initContainers: { resources: object }[] } } & Pod;
  limited.spec.initContainers[1].resources = {
    limits: { cpu: '2', memory: '1Gi' },
    requests: { cpu: '20m' },
  };
  expect(containerOf(injectWithAnnotations(limited).pod, 'tulle-sidecar').resources).toEqual({
    limits: { cpu: '2', memory: '512Mi' },
    requests: { cpu: '20m', memory: '64Mi' },
  });
});

test('probes stay with rewrite-probes disabled', () => {
  const livenessProbe = { httpGet: { port: 80 } };
  const { pod } = injectWithAnnotations(
    simple({ livenessProbe }, { annotations: { 'tulle.dev/rewrite-probes': 'disabled' } }),
  );
  expect(containerOf(pod, 'app').livenessProbe).toEqual(livenessProbe);
  expect(env(pod, 'tulle-sidecar').TULLE_PROBES).toBe('{}');
});

test('no probe that the API server accepts makes an environment that the sidecar refuses', () => {
  const action = fc.record(
    {
      path: fc.oneof(fc.constantFrom('', 'x', '/a b', '/ü', '/?a=1#b'), fc.string()),
      port: fc.integer({ min: 1, max: 65_535 }),
      scheme: fc.constantFrom('HTTP', 'HTTPS'),
      httpHeaders: fc.array(
        fc.record({
          name: fc.constantFrom('Host', 'x-y', 'a_b'),
          value: fc.oneof(fc.constant(' x'), fc.string(), fc.constant('\n')),
        }),
        { maxLength: 2 },
      ),
    },
    { requiredKeys: ['port'] },
  );
  const seconds = fc.integer({ min: 1, max: 100_000 });
  const grace = fc.integer({ min: 0, max: 100_000 });
  fc.assert(
    fc.property(
      action,
      action,
      seconds,
      grace,
      (probe, hook, timeoutSeconds, terminationGracePeriodSeconds) => {
        const given = simple({
          readinessProbe: { httpGet: probe, timeoutSeconds },
          lifecycle: { preStop: { httpGet: hook } },
        });
        const { pod } = injectWithAnnotations({
          ...given,
          spec: { ...given.spec, terminationGracePeriodSeconds },
        });
        const problems: string[] = [];
        parseProbes(env(pod, 'tulle-sidecar').TULLE_PROBES ?? '', problems);
        expect(problems).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});

function scraped(annotations: Record<string, string>, container: Partial<Container> = {}) {
  const { pod, warnings } = injectWithAnnotations(simple(container, { annotations }));
  const { 'tulle.dev/status': _status, ...rest } = pod.metadata?.annotations ?? {};
  const prometheus = Object.fromEntries(
    Object.entries(rest).filter(([name]) => name.startsWith('prometheus.io/')),
  );
  return { prometheus, app: env(pod, 'tulle-sidecar').TULLE_APP_METRICS ?? '', warnings };
}

const sidecarScrape = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': '14020',
  'prometheus.io/path': '/metrics',
};

test('a pod without metrics of its own is scraped at the sidecar', () => {
  expect(scraped({})).toEqual({ prometheus: sidecarScrape, app: '', warnings: [] });
});

test('the port of the application may come from its container', () => {
  const ports = [{ containerPort: 53, protocol: 'UDP' }, { containerPort: 8080 }];
  expect(scraped({ 'prometheus.io/scrape': 'true', 'prometheus.io/path': 'stats' }, { ports })).toEqual({
    prometheus: sidecarScrape,
    app: 'http://127.0.0.1:8080/stats',
    warnings: [],
  });
});

test.each([
  ['scrape is off', { 'prometheus.io/scrape': 'false', 'prometheus.io/port': '80' }],
  [
    'merging is off',
    { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '80', 'tulle.dev/merge-metrics': 'disabled' },
  ],
])('annotations stay where %s', (_why, annotations) => {
  const { prometheus, app, warnings } = scraped(annotations);
  expect({ app, warnings }).toEqual({ app: '', warnings: [] });
  expect(annotations).toMatchObject(prometheus);
});

test.each([
  [{ 'prometheus.io/scheme': 'https' }, 'prometheus.io/scheme is "https"'],
  [{ 'prometheus.io/port': 'web' }, 'prometheus.io/port is "web"'],
  [{ 'prometheus.io/port': '0' }, 'prometheus.io/port is "0"'],
  [{ 'prometheus.io/port': '14020' }, 'prometheus.io/port is 14020, the port of the sidecar'],
  [{}, 'prometheus.io/port is not set and no container declares a port'],
])('annotations stay, with a warning, where the sidecar cannot read the target: %j', (extra, problem) => {
  const annotations = { 'prometheus.io/scrape': 'true', ...extra };
  expect(scraped(annotations)).toEqual({
    prometheus: annotations,
    app: '',
    warnings: [`metrics of the application are not merged with those of the sidecar: ${problem}`],
  });
});
