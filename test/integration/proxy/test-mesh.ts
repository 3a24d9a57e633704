/** Two sidecars in one process, in explicit mode on loopback, with an in-memory configuration. */
import type { LimitOverrides } from '../../../api/limits.ts';
import type { PortProtocol } from '../../../api/protocol.ts';
import type { Cluster } from '../../../proxy/cluster/cluster.ts';
import type { InboundState } from '../../../proxy/cluster/destination.ts';
import { proxyLimits } from '../../../proxy/config/proxy-limits.ts';
import { createDataPath, type DataPath } from '../../../proxy/data-path.ts';
import { createInbound } from '../../../proxy/inbound.ts';
import type { MtlsMode } from '../../../proxy/listener/listener-config.ts';
import type { Stack } from '../../../proxy/listener/stack.ts';
import { createOutbound } from '../../../proxy/outbound.ts';
import type { RouteConfig } from '../../../proxy/route/route-config.ts';
import { AccessLog } from '../../../proxy/telemetry/access-log.ts';
import { Metrics } from '../../../proxy/telemetry/metrics.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/log.ts';
import { CLIENT_ID, forward, inboundConfig, SERVER_ID, TestDestinations } from './configuration.ts';
import { createAuthority, type TestAuthority, TestIdentity } from './identities.ts';

export interface Sidecar {
  readonly stack: Stack;
  readonly metrics: Metrics;
  readonly identity: TestIdentity;
  readonly path: DataPath;
}

export class TestMesh {
  readonly authority: TestAuthority = createAuthority();
  readonly destinations = new TestDestinations();
  /** Milliseconds by which the proxies' clock is ahead. */
  ahead = 0;
  /** How much faster than time the proxies' timers run, so that what is looked at once a second is looked at more often. */
  pace = 1;
  /** Of all proxies made from now on; absent: the defaults. */
  limits: LimitOverrides | undefined;
  accessLog: AccessLog | undefined;
  readonly #stacks: Stack[] = [];

  /** A client's sidecar: an HTTP proxy at `addresses[0]`, and a listener per destination. */
  async client(
    options: {
      identity?: TestIdentity;
      listeners?: readonly { host: string; targetPort: number }[];
      detectTimeoutMs?: number;
      maxConnections?: number;
    } = {},
  ): Promise<Sidecar> {
    const identity = options.identity ?? TestIdentity.create(this.authority, CLIENT_ID);
    const metrics = new Metrics(1000);
    const path = this.#path(identity, metrics, {
      current: inboundConfig('web', 'detect', 'permissive'),
    });
    const stack = createOutbound(path, {
      destinations: this.destinations,
      listenAddress: '127.0.0.1',
      port: 0,
      originalDestination: null,
      listeners: (options.listeners ?? []).map(listener => ({ address: '127.0.0.1', port: 0, ...listener })),
      isOwn: (_host, port) => port === stack.addresses[0].port,
      expand: host => host,
      detectTimeoutMs: options.detectTimeoutMs ?? 1000,
      connectTimeoutMs: 1000,
      maxConnections: options.maxConnections ?? path.limits.connections.maxConnections,
    });
    await stack.listen();
    this.#stacks.push(stack);
    return { stack, metrics, identity, path };
  }

  /** A server's sidecar in front of an application. */
  async server(
    applicationPort: number,
    options: {
      identity?: TestIdentity;
      protocol?: PortProtocol;
      mtls?: MtlsMode;
      detectTimeoutMs?: number;
    } = {},
  ): Promise<Sidecar & { port: number }> {
    const identity = options.identity ?? TestIdentity.create(this.authority, SERVER_ID);
    const metrics = new Metrics(1000);
    const { protocol = 'detect', mtls = 'permissive' } = options;
    const inbound: InboundState = { current: inboundConfig('orders', protocol, mtls) };
    const path = this.#path(identity, metrics, inbound);
    const stack = createInbound(path, {
      listenAddress: '127.0.0.1',
      port: 0,
      originalDestination: null,
      listeners: [{ address: '127.0.0.1', port: 0, applicationAddress: '127.0.0.1', applicationPort }],
      podIp: '',
      isOwn: () => false,
      detectTimeoutMs: options.detectTimeoutMs ?? 1000,
      connectTimeoutMs: 1000,
      maxConnections: path.limits.connections.maxConnections,
    });
    await stack.listen();
    this.#stacks.push(stack);
    return { stack, metrics, identity, path, port: stack.addresses[0].port };
  }

  #path(identity: TestIdentity, metrics: Metrics, inbound: InboundState): DataPath {
    const log = createLogger('test', process.env['TEST_LOG_LEVEL'] ?? 'fatal');
    return createDataPath({
      clock: {
        ...systemClock,
        now: () => systemClock.now() + this.ahead,
        after: (ms, callback) => systemClock.after(ms / this.pace, callback),
      },
      random: Math.random,
      log,
      metrics,
      accessLog: this.accessLog ?? new AccessLog(log, 'off'),
      identity,
      inbound,
      limits: proxyLimits(this.limits),
    });
  }

  /**
   * The service `orders` on port 80 with these clusters, the first of which is its own.
   * @returns port of a listener of a new client's sidecar that stands for it
   */
  async orders(
    clusters: readonly Cluster[],
    options: {
      protocol?: PortProtocol;
      routes?: readonly RouteConfig[] | null;
      client?: Parameters<TestMesh['client']>[0];
    } = {},
  ): Promise<Sidecar & { port: number }> {
    const { protocol = 'http', routes = [forward([clusters[0].name])] } = options;
    this.destinations.set('orders', 80, protocol, clusters, routes);
    const client = await this.client({ ...options.client, listeners: [{ host: 'orders', targetPort: 80 }] });
    return { ...client, port: client.stack.addresses[1].port };
  }

  close(): void {
    for (const stack of this.#stacks) stack.close();
  }
}
