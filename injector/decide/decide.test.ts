import { expect, test } from 'vitest';
import { proxyUid } from '../../api/ports.ts';
import type { Pod } from '../pod.ts';
import { decide } from './decide.ts';
import type { NamespaceFacts } from './decision.ts';

const enabled = { 'tulle.dev/inject': 'enabled' };
const disabled = { 'tulle.dev/inject': 'disabled' };

function namespace(facts: Partial<NamespaceFacts> = {}): NamespaceFacts {
  return { name: 'shop', annotations: {}, labels: {}, ...facts };
}

function pod(metadata: Pod['metadata'] = {}, spec: Partial<Pod['spec']> = {}): Pod {
  return { metadata, spec: { containers: [{ name: 'app', image: 'app:1' }], ...spec } };
}

function outcome(given: Pod, of: NamespaceFacts): string {
  const decision = decide(given, of, {});
  return decision.kind === 'skip' ? decision.reason : decision.kind;
}

test.each([
  ['namespace annotation', pod(), namespace({ annotations: enabled }), 'inject'],
  ['namespace label', pod(), namespace({ labels: enabled }), 'inject'],
  ['nobody asks', pod(), namespace(), 'not_enabled'],
  ['namespace says no', pod(), namespace({ annotations: disabled }), 'disabled_by_namespace'],
  [
    'pod says no by annotation',
    pod({ annotations: disabled }),
    namespace({ labels: enabled }),
    'disabled_by_pod',
  ],
  ['pod says no by label', pod({ labels: disabled }), namespace({ labels: enabled }), 'disabled_by_pod'],
  ['pod asks by annotation', pod({ annotations: enabled }), namespace(), 'inject'],
  ['pod asks by label', pod({ labels: enabled }), namespace(), 'inject'],
  ['pod wins over its namespace', pod({ labels: enabled }), namespace({ annotations: disabled }), 'inject'],
  [
    'no wins over yes on one pod',
    pod({ labels: enabled, annotations: disabled }),
    namespace(),
    'disabled_by_pod',
  ],
  ['system namespace', pod({ labels: enabled }), namespace({ name: 'kube-system' }), 'system_namespace'],
  [
    "Tulle's own namespace",
    pod({ labels: enabled }),
    namespace({ name: 'tulle-system' }),
    'system_namespace',
  ],
  ['host network', pod({}, { hostNetwork: true }), namespace({ labels: enabled }), 'host_network'],
  ['host network, not asked', pod({}, { hostNetwork: true }), namespace(), 'not_enabled'],
  ['Windows', pod({}, { os: { name: 'windows' } }), namespace({ labels: enabled }), 'windows'],
  [
    'static pod',
    pod({ annotations: { 'kubernetes.io/config.mirror': 'x' } }),
    namespace({ labels: enabled }),
    'mirror_pod',
  ],
  [
    'service account token off',
    pod({}, { automountServiceAccountToken: false }),
    namespace({ labels: enabled }),
    'inject',
  ],
])('%s', (_what, given, of, expected) => {
  expect(outcome(given, of)).toBe(expected);
});

test('settings come from defaults, mesh, namespace and pod, in this order', () => {
  const decision = decide(
    pod({ annotations: { 'tulle.dev/log-level': 'debug' } }),
    namespace({
      labels: enabled,
      annotations: { 'tulle.dev/log-level': 'error', 'tulle.dev/access-log': 'all' },
    }),
    { accessLog: 'errors', drainSeconds: 5, logLevel: 'warn' },
  );
  expect(decision).toMatchObject({
    kind: 'inject',
    settings: { logLevel: 'debug', accessLog: 'all', drainSeconds: 5, detectTimeoutMs: 1000 },
  });
});

function refusalsOf(given: Pod, of = namespace({ labels: enabled })): string[] {
  const decision = decide(given, of, {});
  expect(decision.kind).toBe('refuse');
  return decision.kind === 'refuse'
    ? decision.refusals.map(({ reason, sentence }) => `${reason}: ${sentence}`)
    : [];
}

test('every invalid annotation of pod and namespace is named at once', () => {
  expect(
    refusalsOf(
      pod({ annotations: { 'tulle.dev/log-level': 'loud', 'tulle.dev/mtls': 'yes' } }),
      namespace({ labels: enabled, annotations: { 'tulle.dev/skip-outbound-ports': 'all' } }),
    ),
  ).toEqual([
    'invalid_annotation: annotation tulle.dev/log-level is "loud"; use trace or debug or info or warn or error or fatal',
    'invalid_annotation: annotation tulle.dev/mtls is "yes"; use permissive or strict',
    'invalid_annotation: namespace shop: annotation tulle.dev/skip-outbound-ports is "all"; use ports from 1 to 65535 and ranges of them, separated by commas, as in 25,8000-8100',
  ]);
});

test('an invalid wish is refused, not taken for no', () => {
  expect(refusalsOf(pod({ annotations: { 'tulle.dev/inject': 'true' } }), namespace())[0]).toContain(
    'annotation tulle.dev/inject is "true"; use enabled or disabled',
  );
  expect(refusalsOf(pod({ labels: { 'tulle.dev/inject': 'yes' } }), namespace())[0]).toContain(
    'label tulle.dev/inject is "yes"; use enabled or disabled',
  );
});

test('a request above its limit is refused', () => {
  expect(refusalsOf(pod({ annotations: { 'tulle.dev/proxy-memory-limit': '32Mi' } }))).toEqual([
    'invalid_annotation: annotation tulle.dev/proxy-memory-request is "64Mi", more than the limit 32Mi; use at most the limit, or raise it',
  ]);
});

const asProxy = { securityContext: { runAsUser: proxyUid } };

test.each([
  ['the pod', { securityContext: { runAsUser: proxyUid } }, 'spec.securityContext.runAsUser'],
  [
    'a container',
    { containers: [{ name: 'app', ...asProxy }] },
    'spec.containers[app].securityContext.runAsUser',
  ],
  ['an init container', { initContainers: [{ name: 'x', ...asProxy }] }, 'spec.initContainers[x]'],
  [
    'an ephemeral container',
    { ephemeralContainers: [{ name: 'x', ...asProxy }] },
    'spec.ephemeralContainers[x]',
  ],
])('%s that runs as the sidecar is refused', (_what, spec, field) => {
  const [refusal] = refusalsOf(pod({}, spec));
  expect(refusal).toContain('proxy_uid_used');
  expect(refusal).toContain(field);
});

test('a container with a reserved name is refused, unless the injector put it there', () => {
  const initContainers = [{ name: 'tulle-sidecar', image: 'evil' }];
  expect(refusalsOf(pod({}, { initContainers }))[0]).toContain('reserved_name');
  expect(refusalsOf(pod({}, { containers: [{ name: 'tulle-init' }] }))[0]).toContain('reserved_name');
  expect(
    outcome(
      pod({ annotations: { 'tulle.dev/status': '{}' } }, { initContainers }),
      namespace({ labels: enabled }),
    ),
  ).toBe('inject');
});

test('what may not be meant is a warning', () => {
  const decision = decide(
    pod(
      { annotations: { 'tulle.dev/drain-seconds': '60', 'tulle.dev/nonsense': '1' } },
      {
        containers: [{ name: 'app', securityContext: { capabilities: { add: ['NET_ADMIN', 'SYS_TIME'] } } }],
      },
    ),
    namespace({ labels: { ...enabled, 'pod-security.kubernetes.io/enforce': 'baseline' } }),
    {},
  );
  expect(decision).toMatchObject({ kind: 'inject' });
  expect(decision.warnings).toEqual([
    'annotation tulle.dev/nonsense is unknown and has no effect',
    'namespace shop enforces Pod Security baseline, which forbids the NET_ADMIN of container tulle-init',
    'tulle.dev/drain-seconds is 60, but terminationGracePeriodSeconds ends the pod after 30',
    'container app is NET_ADMIN: it can remove the redirection and go past the sidecar',
  ]);
});
