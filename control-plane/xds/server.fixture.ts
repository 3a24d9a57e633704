/** The real xDS server on loopback, for scripted and real clients. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger, type Logger } from '../../runtime/log.ts';
import type { MeshStore } from '../model/model.ts';
import type { OnOmission } from '../snapshot/omission-list.ts';
import { createXdsServices, type Peers, type XdsServices } from './services.ts';

export interface TestServer {
  readonly port: number;
  readonly services: XdsServices;
  readonly registry: Registry;
  /** Value of a metric, summed over its series. */
  metric(name: string): Promise<number>;
  close(): Promise<void>;
}

export async function startServer(
  store: MeshStore,
  peers: Peers = { kind: 'anonymous' },
  log: Logger = createLogger('control-plane', 'silent'),
  onOmission: OnOmission = () => {},
): Promise<TestServer> {
  const registry = new Registry();
  const services = createXdsServices({ store, log, clock: systemClock, metrics: registry, onOmission });
  const server = new Server();
  services.addTo(server, peers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    port,
    services,
    registry,
    async metric(name) {
      const found = (await registry.getMetricsAsJSON()).find(metric => metric.name === name);
      return (found?.values ?? []).reduce((sum, { value }) => sum + value, 0);
    },
    async close() {
      services.close();
      await new Promise<void>(resolve => {
        server.tryShutdown(() => resolve());
        server.forceShutdown();
        resolve();
      });
    },
  };
}
