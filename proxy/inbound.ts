/**
 * Connections that reach the pod. Composition only. What a request passes, from top to bottom:
 *
 *  1. `TcpListener` accepts; `OriginalDestination` says which port of the pod was meant.
 *  2. `InboundAcceptor` counts the connection and looks at its first bytes (`FirstBytes`, `readClientHello`, `detectProtocol`).
 *  3. `terminateTls`, for a client of the mesh: its SPIFFE ID is known from here on.
 *  4. The codec of the connection (`serveHttp`: http1, http2) makes a stream of the request; opaque bytes go to `Splice`.
 *  5. `Exchange`, with `InboundDirection`: mesh fields are taken off and set from the identity.
 *  6. `Applications` and `Upstream`: a connection to the application.
 *  7. `recordExchange`: metrics and access log, once.
 */
import type { DataPath } from './data-path.ts';
import { EmptyClusters } from './exchange/empty-clusters.ts';
import { Exchange } from './exchange/exchange.ts';
import { InboundDirection } from './exchange/inbound-direction.ts';
import type { RequestHandler } from './exchange/stream.ts';
import { Applications } from './listener/applications.ts';
import { ConnectionSet } from './listener/downstream-connection.ts';
import { InboundAcceptor } from './listener/inbound-acceptor.ts';
import { LearnedProtocols } from './listener/learned-protocols.ts';
import type { OriginalDestination } from './listener/original-destination.ts';
import { createStack, type Stack } from './listener/stack.ts';
import { type Accepted, TcpListener } from './listener/tcp-listener.ts';

export interface InboundOptions {
  readonly listenAddress: string;
  /** Redirected connections; not opened in explicit mode. */
  readonly port: number;
  /** From `createOriginalDestination` in redirect mode; null in explicit mode. */
  readonly originalDestination: OriginalDestination | null;
  /** Explicit mode: addresses to serve, and where the application listens. The configuration knows the port served. */
  readonly listeners: readonly {
    readonly address: string;
    readonly port: number;
    readonly applicationAddress: string;
    readonly applicationPort: number;
  }[];
  /** Where an application listens that does not listen on the loopback address, '' if nowhere else. */
  readonly podIp: string;
  /** Whether an address is one of this proxy's own ports, to which nothing is passed on. */
  readonly isOwn: (host: string, port: number) => boolean;
  readonly detectTimeoutMs: number;
  /** Of connections to the application. */
  readonly connectTimeoutMs: number;
  /** Connections at once; more are refused. */
  readonly maxConnections: number;
}

export function createInbound(path: DataPath, options: InboundOptions): Stack {
  const { clock, random, wheel, log, accessLog, edges, transport, metrics, identity, inbound } = path;
  const { originalDestination, isOwn, connectTimeoutMs } = options;
  // IPv6 has no source address to tell these connections by: see `applicationSource`.
  const hasFallback = originalDestination !== null && !options.podIp.includes(':');
  const upstream = path.upstream(hasFallback ? options.podIp : '');
  const connections = new ConnectionSet(options.maxConnections);

  const direction = new InboundDirection(edges);
  const { blocks } = path;
  const emptyClusters = new EmptyClusters();
  const context = { clock, random, wheel, connections: upstream, blocks, emptyClusters, accessLog };
  const requests: RequestHandler = {
    onRequest: (stream, head, end) => new Exchange(context, direction, stream, head, end).start(),
  };
  const refusals: RequestHandler = {
    onRequest: (stream, head, end) =>
      new Exchange(context, direction, stream, head, end).refuse('MTLS_REQUIRED'),
  };
  const acceptor = new InboundAcceptor({
    clock,
    wheel,
    transport,
    log: path.refusalLog,
    limits: path.limits,
    faults: path.faults,
    accessLog,
    connections,
    codecs: path.serverCodecs,
    inbound,
    identity,
    edges,
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
    undetected: metrics.counter('undetected', { direction: 'inbound' }),
  });

  const applications = new Applications(connectTimeoutMs);
  const acceptRedirected = (accepted: Accepted): void => {
    const destination = originalDestination?.(accepted.descriptor) ?? null;
    if (destination === null || isOwn(destination.address, destination.port)) {
      path.refusalLog.warn(
        { client: accepted.remoteAddress, destination },
        'refused: the destination is the proxy itself',
      );
      accepted.transport.destroy();
      return;
    }
    const loopback = destination.address.includes(':') ? '::1' : '127.0.0.1';
    acceptor.accept(accepted, applications.at(loopback, destination.port, destination.port));
  };

  const redirected =
    originalDestination === null
      ? []
      : [new TcpListener(options.listenAddress, options.port, transport, log, acceptRedirected)];
  const fixed = options.listeners.map(({ address, port, applicationAddress, applicationPort }) => {
    const listener: TcpListener = new TcpListener(address, port, transport, log, accepted =>
      acceptor.accept(accepted, applications.at(applicationAddress, applicationPort, listener.address.port)),
    );
    return listener;
  });
  metrics.read('connections', () => [
    { labels: { direction: 'inbound' }, value: connections.size },
    { labels: { direction: 'application' }, value: upstream.connections },
  ]);
  const unsubscribe = identity.subscribe(() => connections.drainSecured());
  return createStack(clock, [...redirected, ...fixed], connections, upstream, unsubscribe);
}
