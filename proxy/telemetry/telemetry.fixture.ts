import { unknownWorkload } from '../cluster/cluster.fixture.ts';
import type { EdgeLabels } from './edge-series.ts';

export function edgeLabels(overrides: Partial<EdgeLabels> = {}): EdgeLabels {
  return {
    reporter: 'source',
    source: { ...unknownWorkload, workload: 'client', namespace: 'default' },
    destination: {
      workload: 'echo-v1',
      namespace: 'default',
      principal: 'spiffe://cluster.local/ns/default/sa/echo',
      app: 'echo',
      version: 'v1',
      canonicalService: 'echo',
      canonicalRevision: 'v1',
    },
    service: { host: 'echo.default.svc.cluster.local', name: 'echo', namespace: 'default' },
    protocol: 'http',
    security: 'mutual_tls',
    ...overrides,
  };
}
