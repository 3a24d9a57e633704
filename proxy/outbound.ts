/**
 * Connections that leave the pod. Composition only. What a request passes, from top to bottom:
 *
 *  1. `TcpListener` accepts; `OriginalDestination` says where it was going (explicit mode: the listener, CONNECT or Host).
 *  2. `OutboundAcceptor` counts the connection, looks its destination up in `Destinations`, and at its first bytes if the
 *     protocol is not declared (`FirstBytes`, `detectProtocol`).
 *  3. The codec of the connection (`serveHttp`: http1, http2) makes a stream of the request; opaque bytes go to `Splice`.
 *  4. `Exchange`, with `OutboundDirection`: route, backend, edits of the head.
 *  5. `Cluster.pick`: the endpoint of an attempt; another one if it fails and may be tried again (`attempts.ts`).
 *  6. `Upstream`: a pooled connection to it, over mTLS if it is meshed.
 *  7. `recordExchange`: metrics and access log, once.
 */
import type { Destinations } from './cluster/destination.ts';
import type { DataPath } from './data-path.ts';
import { EmptyClusters } from './exchange/empty-clusters.ts';
import { Exchange } from './exchange/exchange.ts';
import { PassthroughClusters } from './exchange/fixed-cluster.ts';
import { OutboundDirection } from './exchange/outbound-direction.ts';
import type { RequestHandler } from './exchange/stream.ts';
import { ConnectionSet } from './listener/downstream-connection.ts';
import { LearnedProtocols } from './listener/learned-protocols.ts';
import type { OriginalDestination } from './listener/original-destination.ts';
import { OutboundAcceptor } from './listener/outbound-acceptor.ts';
import { createStack, type Stack } from './listener/stack.ts';
import { TcpListener } from './listener/tcp-listener.ts';

export interface OutboundOptions {
  readonly destinations: Destinations;
  readonly listenAddress: string;
  /** Redirected connections; in explicit mode an HTTP proxy. */
  readonly port: number;
  /** From `createOriginalDestination` in redirect mode; null in explicit mode. */
  readonly originalDestination: OriginalDestination | null;
  /** Explicit mode: local addresses and the destination each stands for. */
  readonly listeners: readonly {
    readonly address: string;
    readonly port: number;
    readonly host: string;
    readonly targetPort: number;
  }[];
  /** Whether an address is one of this proxy's own ports, to which nothing is passed on. */
  readonly isOwn: (host: string, port: number) => boolean;
  /** Full name of a host that an application calls in short; in redirect mode the host itself. */
  readonly expand: (host: string) => string;
  readonly detectTimeoutMs: number;
  /** Of connections to destinations outside the mesh; clusters have their own. */
  readonly connectTimeoutMs: number;
  /** Connections at once; more are refused. */
  readonly maxConnections: number;
}

export function createOutbound(path: DataPath, options: OutboundOptions): Stack {
  const { clock, random, wheel, log, accessLog, edges, transport, metrics } = path;
  const { destinations, listenAddress, originalDestination, isOwn, expand } = options;
  const upstream = path.upstream('');
  const connections = new ConnectionSet(options.maxConnections);
  const passthrough = new PassthroughClusters(options.connectTimeoutMs);

  const { replayBytes } = path.limits.requests;
  const direction = new OutboundDirection({
    destinations,
    edges,
    passthrough,
    isOwn,
    expand,
    random,
    replayBytes,
  });
  const { blocks } = path;
  const emptyClusters = new EmptyClusters();
  const context = { clock, random, wheel, connections: upstream, blocks, emptyClusters, accessLog };
  const requests: RequestHandler = {
    onRequest: (stream, head, end) => new Exchange(context, direction, stream, head, end).start(),
  };
  const refusals: RequestHandler = {
    onRequest: (stream, head, end) => new Exchange(context, direction, stream, head, end).refuse('OVERFLOW'),
  };
  const acceptor = new OutboundAcceptor({
    clock,
    wheel,
    queue: transport.queue,
    log: path.refusalLog,
    limits: path.limits,
    faults: path.faults,
    accessLog,
    connections,
    codecs: path.serverCodecs,
    destinations,
    edges,
    passthrough,
    learned: new LearnedProtocols(),
    splice: {
      clock,
      random,
      connections: upstream,
      emptyClusters,
      idleTimeoutMs: path.limits.connections.tcpIdleTimeoutMs,
      onLimit: path.faults.limit,
    },
    requests,
    refusals,
    detectTimeoutMs: options.detectTimeoutMs,
    undetected: metrics.counter('undetected', { direction: 'outbound' }),
    isOwn,
    expand,
    originalDestination,
  });

  const main = new TcpListener(listenAddress, options.port, transport, log, accepted =>
    originalDestination === null ? acceptor.acceptProxy(accepted) : acceptor.acceptRedirected(accepted),
  );
  const fixed = options.listeners.map(
    ({ address, port, host, targetPort }) =>
      new TcpListener(address, port, transport, log, accepted =>
        acceptor.acceptFor(host, targetPort, accepted),
      ),
  );
  metrics.read('connections', () => [
    { labels: { direction: 'outbound' }, value: connections.size },
    { labels: { direction: 'upstream' }, value: upstream.connections },
  ]);
  return createStack(clock, [main, ...fixed], connections, upstream, () => {});
}
