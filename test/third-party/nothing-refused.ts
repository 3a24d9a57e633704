/**
 * No resource that Tulle makes is ever refused (NACK) by Envoy or gRPC. Whoever starts a control plane for such clients ends
 * it by one of these.
 */
import { expect } from 'vitest';
import type { FixtureStore } from '../../control-plane/translate/mesh.fixture.ts';
import { startServer, type TestServer } from '../../control-plane/xds/server.fixture.ts';

/** Series of the metric of refusals that have counted any. */
function refusals(metrics: string): string[] {
  return metrics.split('\n').filter(line => /^tulle_xds_nacks_total\{.*\} (?!0$)/.test(line));
}

/** The xDS server, for clients that refuse nothing: its end checks that. */
export async function startServerOfPeers(store: FixtureStore): Promise<TestServer> {
  const server = await startServer(store);
  return {
    ...server,
    async close() {
      const refused = refusals(await server.registry.metrics());
      await server.close();
      expect(refused).toEqual([]);
    },
  };
}

/** @param admin base of the admin port of a control plane */
export async function expectNothingRefused(admin: string): Promise<void> {
  const answer = await fetch(`${admin}/metrics`);
  expect(answer.status).toBe(200);
  const metrics = await answer.text();
  expect(metrics).toContain('tulle_xds_streams');
  expect(refusals(metrics)).toEqual([]);
}
