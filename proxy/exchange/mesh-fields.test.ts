import { expect, test } from 'vitest';
import { formatSource, parseSource, stripMeshFields } from './mesh-fields.ts';

test('every spelling of a mesh field is removed, and nothing else', () => {
  const lines = [
    ['accept', '1'],
    ['tulle-client-id', 'evil'],
    ['tulle_source', 'evil'],
    ['x-forwarded-client-cert', 'evil'],
    ['x_forwarded_client_cert', 'evil'],
    ['x-forwarded_client-cert', 'evil'],
    ['x-forwarded-for', '2'],
    ['tullex', '3'],
    ['x-forwarded-client-cart', '4'],
    ['tulle-error', 'evil'],
    ['te', '5'],
  ].flat();
  stripMeshFields(lines);
  expect(lines.filter((_, i) => i % 2 === 0)).toEqual([
    'accept',
    'x-forwarded-for',
    'tullex',
    'x-forwarded-client-cart',
    'te',
  ]);
});

test('the labels of a client survive the hop, but the principal and its namespace are those it has proved', () => {
  const labels = {
    workload: 'web-1',
    namespace: 'shop',
    principal: '',
    app: 'web',
    version: 'v1',
    canonicalService: 'web',
    canonicalRevision: 'v1',
  };
  const peer = 'spiffe://cluster.local/ns/other/sa/web';
  expect(parseSource(formatSource(labels), peer)).toEqual({ ...labels, principal: peer, namespace: 'other' });
  expect(parseSource('', '').workload).toBe('');
  expect(parseSource('x'.repeat(1000), '').workload).toBe('');
});
