import { expect, test } from 'vitest';
import { expandHost, hostExpansion } from './expand-host.ts';

test.each([
  ['web', 'web.shop.svc.cluster.local'],
  ['Web', 'web.shop.svc.cluster.local'],
  ['web.', 'web.shop.svc.cluster.local'],
  ['web.other', 'web.other.svc.cluster.local'],
  ['web.other.svc', 'web.other.svc.cluster.local'],
  ['web.other.svc.cluster.local', 'web.other.svc.cluster.local'],
  ['web.other.svc.cluster.local.', 'web.other.svc.cluster.local'],
  ['api.github.com', 'api.github.com'],
  ['10.0.0.1', '10.0.0.1'],
  ['fd00::1', 'fd00::1'],
])('%s is %s', (host, expanded) => {
  expect(expandHost(host, 'shop', 'cluster.local')).toBe(expanded);
});

test('what is remembered is the same', () => {
  const expand = hostExpansion('shop', 'mesh.example');
  for (let i = 0; i < 3000; i++) expand(`host-${i}`);
  expect([expand('web'), expand('web'), expand('host-1'), expand('host-2999')]).toEqual([
    'web.shop.svc.mesh.example',
    'web.shop.svc.mesh.example',
    'host-1.shop.svc.mesh.example',
    'host-2999.shop.svc.mesh.example',
  ]);
});
