/**
 * A process with a client's and a server's sidecar in it, to be attacked: what it costs is measured where nobody else
 * allocates. It is told what to do over IPC.
 */
import { parseLimits } from '../../api/limits.ts';
import type { Metrics } from '../../proxy/telemetry/metrics.ts';
import { CLIENT_ID, cluster, endpoint, forward, SERVER_ID } from '../integration/proxy/configuration.ts';
import { type Sidecar, TestMesh } from '../integration/proxy/test-mesh.ts';
import { serve } from './child.ts';

export interface VictimOptions {
  /** Port of the application behind the server's sidecar, and what it speaks. */
  readonly application: number;
  readonly protocol: 'http' | 'http2';
  /** As in TULLE_LIMITS. */
  readonly limits: string;
}

export interface VictimPorts {
  /** Of the client's sidecar: stands for the service. */
  readonly outbound: number;
  /** Of the server's sidecar: plaintext and mTLS. */
  readonly inbound: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface Usage {
  /** Octets: the most that was ever resident, and what is resident now. */
  readonly maxResident: number;
  readonly resident: number;
  readonly cpuMs: number;
  readonly connections: { readonly inbound: number; readonly outbound: number };
  /** Limits passed and errors of peers, by name, of each sidecar. */
  readonly inbound: Readonly<Record<string, number>>;
  readonly outbound: Readonly<Record<string, number>>;
}

export type Order =
  | { readonly kind: 'start'; readonly options: VictimOptions }
  /** With `collect`, what is resident is what is in use. */
  | { readonly kind: 'usage'; readonly collect: boolean }
  | { readonly kind: 'connections' }
  /** Moves the clock of both sidecars on, and answers when every connection has seen it. */
  | { readonly kind: 'advance'; readonly ms: number };

const PACE = 50;
/** How often connections look at the clock. */
const TICK_MS = 1000 / PACE;

let mesh: TestMesh;
let server: Sidecar & { port: number };
let client: Sidecar & { port: number };

async function start({ application, protocol, limits }: VictimOptions): Promise<VictimPorts> {
  const parsed = parseLimits(limits);
  if (!('value' in parsed)) throw new Error(`limits: use ${parsed.remedy}`);
  mesh = new TestMesh();
  mesh.pace = PACE;
  mesh.limits = parsed.value;
  server = await mesh.server(application, { protocol });
  const orders = cluster('orders', [endpoint(server.port, { identity: SERVER_ID })]);
  client = await mesh.orders([orders], { protocol, routes: [forward(['orders'])] });
  const { cert, key } = mesh.authority.issue(CLIENT_ID);
  return { outbound: client.port, inbound: server.port, ca: mesh.authority.pem, cert, key };
}

function counted(metrics: Metrics): Record<string, number> {
  const counts: Record<string, number> = {};
  const readings = metrics.readings();
  for (const { labels, value } of readings.get('limits') ?? []) counts[labels['limit']] = value;
  for (const { labels, value } of readings.get('protocolErrors') ?? []) {
    const { protocol, error } = labels;
    counts[`${protocol} ${error}`] = (counts[`${protocol} ${error}`] ?? 0) + value;
  }
  return counts;
}

function connections(): Usage['connections'] {
  return {
    inbound: server.stack.statistics.connections,
    outbound: client.stack.statistics.connections,
  };
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return {
    maxResident: process.resourceUsage().maxRSS * 1024,
    resident: process.memoryUsage().rss,
    cpuMs: (user + system) / 1000,
    connections: connections(),
    inbound: counted(server.metrics),
    outbound: counted(client.metrics),
  };
}

function obey(order: Order): unknown {
  switch (order.kind) {
    case 'start':
      return start(order.options);
    case 'connections':
      return connections();
    case 'usage':
      if (order.collect) globalThis.gc?.();
      return usage();
    case 'advance':
      mesh.ahead += order.ms;
      return new Promise(resolve => setTimeout(resolve, 2 * TICK_MS));
  }
}

serve(obey);
