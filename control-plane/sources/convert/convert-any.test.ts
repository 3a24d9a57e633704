import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RecordKind, type RecordWriter, recordKinds } from '../../model/records.ts';
import { writeObject } from './convert.ts';
import { readMetadata } from './object.ts';

/** Field names that converters read, so that the values reach them. */
const names = [
  'spec',
  'status',
  'rules',
  'matches',
  'path',
  'type',
  'value',
  'headers',
  'name',
  'filters',
  'backendRefs',
  'port',
  'weight',
  'requestMirror',
  'urlRewrite',
  'requestHeaderModifier',
  'set',
  'remove',
  'timeouts',
  'retry',
  'codes',
  'parentRefs',
  'kind',
  'group',
  'ports',
  'endpoints',
  'addresses',
  'conditions',
  'targetRef',
  'containers',
  'initContainers',
  'podIPs',
  'backends',
  'service',
  'method',
  'fraction',
  'ownerReferences',
  'metadata',
  'labels',
  'annotations',
  'clusterIPs',
  'loadBalancer',
  'ingress',
  'hostnames',
  'redirect',
  'requestRedirect',
];
const words = [
  'Service',
  'Exact',
  'RegularExpression',
  'RequestMirror',
  'URLRewrite',
  'RequestRedirect',
  'core',
  '',
  '(',
  '/a',
  '1s',
  '10m',
];

const anything = fc.letrec<{ value: unknown; map: Record<string, unknown> }>(tie => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom<unknown>(null, true, -1, 0, 80, 1.5, 1e300),
    fc.constantFrom(...words),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('map'),
  ),
  map: fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 8 }),
}));

test('no object whatever makes a converter throw; what cannot be used is told', () => {
  fc.assert(
    fc.property(fc.constantFrom<RecordKind>(...recordKinds), anything.map, (kind, fields) => {
      const told: string[] = [];
      const writer: RecordWriter = {
        put: (_kind, _key, _record, problems) => told.push(...problems),
        reject: (_kind, _key, problems) => told.push(...problems),
        remove: () => {},
        report: () => {},
        synced: () => {},
      };
      const metadata = readMetadata(fields.metadata, 'default');
      writeObject(writer, kind, { kind, metadata, fields }, '');
      expect(told.filter(problem => problem.includes('cannot be read'))).toEqual([]);
    }),
    { numRuns: 5000 },
  );
});
