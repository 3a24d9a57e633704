import { expect, test } from 'vitest';
import { format, report, type StoredPod } from './report.ts';

const enabled = { 'tulle.dev/inject': 'enabled' };

function pod(namespace: string, name: string, rest: { metadata?: object; spec?: object } = {}): StoredPod {
  return {
    metadata: { name, namespace, resourceVersion: '1', ...rest.metadata },
    spec: { containers: [{ name: 'app' }], ...rest.spec },
  };
}

const facts = (name: string, annotations: Record<string, string>) => ({ name, annotations, labels: {} });
const namespaces = new Map([
  ['shop', facts('shop', enabled)],
  ['other', facts('other', {})],
  ['kube-system', facts('kube-system', {})],
]);

test('every pod has a state and a reason', () => {
  const status = { 'tulle.dev/status': '{"version":"0.1.0"}' };
  const pods = [
    pod('shop', 'web', { metadata: { labels: { 'tulle.dev/injected': 'true' }, annotations: status } }),
    pod('shop', 'old'),
    pod('shop', 'node', { spec: { hostNetwork: true } }),
    pod('shop', 'bad', { metadata: { annotations: { 'tulle.dev/mtls': 'x' } } }),
    pod('other', 'plain'),
    pod('kube-system', 'dns', { metadata: { labels: enabled } }),
  ];
  expect(format(report(pods, namespaces))).toBe(
    `NAMESPACE     POD     SIDECAR    REASON
kube-system   dns     skipped    system_namespace: nothing is injected in namespaces of the system
other         plain   skipped    not_enabled: neither the pod nor its namespace says tulle.dev/inject: enabled
shop          bad     refused    annotation tulle.dev/mtls is "x"; use permissive or strict
shop          node    skipped    host_network: the pod uses the network of its node, where redirection would affect other pods
shop          old     missing    it was created without the injector; create it anew
shop          web     injected   version 0.1.0
`,
  );
});
