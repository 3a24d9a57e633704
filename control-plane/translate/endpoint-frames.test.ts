import { expect, it } from 'vitest';
import { ClusterLoadAssignment } from '../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { EndpointFrames } from './endpoint-frames.ts';
import type { EndpointLocality } from './endpoint-set.ts';
import { workload } from './mesh.fixture.ts';

const pod = workload('echo-1', { addresses: ['10.0.0.1', 'fd00::1'] });
const localities: EndpointLocality[] = [
  { zone: 'a', priority: 0, endpoints: [{ address: '10.0.0.1', port: 80, workload: pod }] },
  {
    zone: '',
    priority: 1,
    endpoints: [
      { address: 'fd00::1', port: 65_535, workload: pod },
      { address: '10.0.0.2', port: 81, workload: null },
    ],
  },
];

it.each(['labelled', 'plain'] as const)('spliced %s frames are what the generated encoder writes', kind => {
  const bytes = new EndpointFrames('cluster.local').assignment('name', localities, kind);
  const decoded = ClusterLoadAssignment.decode(bytes);
  expect(Buffer.from(ClusterLoadAssignment.encode(decoded).finish())).toEqual(Buffer.from(bytes));
  const [first, second] = decoded.endpoints;
  expect(first).toMatchObject({ locality: { zone: 'a' }, loadBalancingWeight: 1, priority: 0 });
  expect(second).toMatchObject({ locality: { zone: '' }, loadBalancingWeight: 2, priority: 1 });
  expect(second.lbEndpoints[0].hostIdentifier?.value.address?.address?.value).toMatchObject({
    address: 'fd00::1',
    portSpecifier: { value: 65_535 },
  });
  expect(first.lbEndpoints[0].metadata === undefined).toBe(kind === 'plain');
});

it('encodes an endpoint once, and again when its workload has a new record', () => {
  const frames = new EndpointFrames('cluster.local');
  const once = frames.assignment('a', localities, 'labelled');
  expect(frames.assignment('a', localities, 'labelled')).toEqual(once);
  const changed = { ...pod, version: 'v2' };
  const moved = localities.map(locality => ({
    ...locality,
    endpoints: locality.endpoints.map(endpoint => ({ ...endpoint, workload: endpoint.workload && changed })),
  }));
  expect(frames.assignment('a', moved, 'labelled')).not.toEqual(once);
});
