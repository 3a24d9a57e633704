import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Dialect } from '../translate/client.ts';

/** Metrics of the xDS server. */
export interface XdsMetrics {
  streamOpened(dialect: Dialect, protocol: 'delta' | 'sotw'): void;
  streamClosed(dialect: Dialect, protocol: 'delta' | 'sotw'): void;
  pushed(dialect: Dialect, type: string, bytes: number): void;
  refused(dialect: Dialect, type: string): void;
  /** From the change of the mesh until the client has said that it applied it. */
  applied(dialect: Dialect, milliseconds: number): void;
}

/** Registers the metrics. `resources` reads how many resources are kept current. */
export function createXdsMetrics(registry: Registry, resources: () => number): XdsMetrics {
  const registers = [registry];
  const streams = new Gauge({
    name: 'tulle_xds_streams',
    help: 'Open ADS streams, by dialect (sidecar, envoy, grpc) and protocol (delta, sotw).',
    labelNames: ['dialect', 'protocol'],
    registers,
  });
  const pushes = new Counter({
    name: 'tulle_xds_pushes_total',
    help: 'Discovery responses sent, by dialect and type.',
    labelNames: ['dialect', 'type'],
    registers,
  });
  const bytes = new Counter({
    name: 'tulle_xds_push_bytes_total',
    help: 'Bytes of discovery responses sent, by dialect and type.',
    labelNames: ['dialect', 'type'],
    registers,
  });
  const refusals = new Counter({
    name: 'tulle_xds_nacks_total',
    help: 'Discovery responses that a client refused, by dialect and type.',
    labelNames: ['dialect', 'type'],
    registers,
  });
  const latency = new Histogram({
    name: 'tulle_xds_convergence_milliseconds',
    help: 'Time from a change of the mesh until a client has acknowledged it, by dialect.',
    labelNames: ['dialect'],
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
    registers,
  });
  new Gauge({
    name: 'tulle_xds_resources',
    help: 'Resources that are kept current because a client subscribes to them.',
    registers,
    collect() {
      this.set(resources());
    },
  });
  return {
    streamOpened: (dialect, protocol) => streams.inc({ dialect, protocol }),
    streamClosed: (dialect, protocol) => streams.dec({ dialect, protocol }),
    pushed(dialect, type, size) {
      pushes.inc({ dialect, type });
      bytes.inc({ dialect, type }, size);
    },
    refused: (dialect, type) => refusals.inc({ dialect, type }),
    applied: (dialect, milliseconds) => latency.observe({ dialect }, milliseconds),
  };
}
