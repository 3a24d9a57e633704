import { outboundListener } from '../../api/xds/names.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ServiceLabels } from '../cluster/cluster-config.ts';
import type { Destination, Destinations, Resolution } from '../cluster/destination.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { UNKNOWN_SERVICE } from '../exchange/edges.ts';
import type { PassthroughClusters } from '../exchange/fixed-cluster.ts';
import { type OutboundContext, splitAuthority } from '../exchange/outbound-direction.ts';
import { Splice } from '../exchange/splice.ts';
import type { RequestHandler, RequestHead, ServerStream } from '../exchange/stream.ts';
import { type ConnectionRoute, matchServerName } from '../route/connection-table.ts';
import { pickBackend } from '../route/pick-backend.ts';
import type { FlushQueue } from '../transport/output.ts';
import type { AcceptorOptions } from './acceptor-options.ts';
import { type ClientHello, readClientHello } from './client-hello.ts';
import { detectProtocol, httpVersion } from './detect-protocol.ts';
import { DownstreamConnection } from './downstream-connection.ts';
import { FirstBytes } from './first-bytes.ts';
import type { OriginalDestination } from './original-destination.ts';
import { serveHttp } from './server-codecs.ts';
import { logSplice } from './splice-log.ts';
import { StreamTransport } from './stream-transport.ts';
import type { Accepted } from './tcp-listener.ts';

export interface OutboundAcceptorOptions extends AcceptorOptions {
  readonly queue: FlushQueue;
  readonly destinations: Destinations;
  readonly passthrough: PassthroughClusters;
  /** Answers a CONNECT for which there is no room. */
  readonly refusals: RequestHandler;
  readonly isOwn: (host: string, port: number) => boolean;
  readonly expand: (host: string) => string;
  /** null in explicit mode. */
  readonly originalDestination: OriginalDestination | null;
}

/** What happens to a connection that leaves the pod: where it goes, which protocol it speaks, who serves it. */
export class OutboundAcceptor implements RequestHandler {
  readonly #options: OutboundAcceptorOptions;

  constructor(options: OutboundAcceptorOptions) {
    this.#options = options;
  }

  /** A connection that the kernel has redirected. */
  acceptRedirected(accepted: Accepted): void {
    const { originalDestination, isOwn, log } = this.#options;
    const destination = originalDestination?.(accepted.descriptor) ?? null;
    const connection = this.#admit(accepted);
    if (connection === null) return;
    if (destination === null || isOwn(destination.address, destination.port)) {
      log.warn({ client: connection.client, destination }, 'refused: the destination is the proxy itself');
      return connection.refuse();
    }
    this.#open(connection, destination.address, destination.port);
  }

  /** A connection to a listener that stands for one destination. */
  acceptFor(host: string, port: number, accepted: Accepted): void {
    const connection = this.#admit(accepted);
    if (connection !== null) this.#open(connection, host, port);
  }

  /** A connection to the proxy port: its requests name their destinations. */
  acceptProxy(accepted: Accepted): void {
    const connection = this.#admit(accepted);
    if (connection === null) return;
    this.#detect(
      connection,
      { client: connection.client, host: '', port: 0, destination: '' },
      Number.POSITIVE_INFINITY,
      null,
    );
    accepted.transport.resume();
  }

  #admit(accepted: Accepted): DownstreamConnection | null {
    const { connections, log, faults } = this.#options;
    const { transport, remoteAddress, remotePort } = accepted;
    if (connections.full) {
      faults.limit('maxConnections');
      log.warn({ client: remoteAddress, connections: connections.size }, 'refused: too many connections');
      transport.destroy();
      return null;
    }
    const connection = new DownstreamConnection(connections, transport, `${remoteAddress}:${remotePort}`);
    transport.user = connection;
    return connection;
  }

  #open(connection: DownstreamConnection, host: string, port: number): void {
    const { destinations, expand } = this.#options;
    const destination = outboundListener(expand(host), port);
    const context: OutboundContext = { client: connection.client, host, port, destination };
    const resolution = destinations.lookup(destination);
    if (resolution !== null) return this.#resolved(connection, context, resolution);
    destinations.resolve(destination, later => this.#resolved(connection, context, later));
  }

  #resolved(connection: DownstreamConnection, context: OutboundContext, resolution: Resolution): void {
    const { passthrough, isOwn, detectTimeoutMs } = this.#options;
    const { host, port } = context;
    switch (resolution.kind) {
      case 'absent':
        if (isOwn(host, port)) return connection.refuse();
        return this.#splice(connection, context, passthrough.get(host, port), null, NOTHING);
      case 'unavailable':
        // Whoever speaks HTTP gets an answer that says why.
        this.#detect(connection, context, detectTimeoutMs, null);
        return connection.transport.resume();
      case 'found':
        this.#found(connection, context, resolution.destination);
    }
  }

  #found(connection: DownstreamConnection, context: OutboundContext, destination: Destination): void {
    const { learned, detectTimeoutMs } = this.#options;
    const { protocol, cluster, connections } = destination;
    if (protocol === 'tls') return this.#readServerName(connection, context, destination);
    if (connections !== null) return this.#route(connection, context, destination, connections.any, NOTHING);
    if (protocol === 'opaque' || (protocol === 'detect' && learned.isServerFirst(destination.name))) {
      if (cluster === null) return connection.refuse();
      return this.#splice(connection, context, cluster, destination, NOTHING);
    }
    const timeoutMs = protocol === 'detect' ? detectTimeoutMs : Number.POSITIVE_INFINITY;
    this.#detect(connection, context, timeoutMs, destination);
    connection.transport.resume();
  }

  /** Waits for the ClientHello, whose server name decides where the connection goes; what is none is refused. */
  #readServerName(
    connection: DownstreamConnection,
    context: OutboundContext,
    destination: Destination,
  ): void {
    const { clock, wheel, limits } = this.#options;
    const timeouts = { ...limits.http1, detectTimeoutMs: Number.POSITIVE_INFINITY };
    const stage = new FirstBytes(clock, wheel, timeouts, judgeHello, (verdict, bytes, ended) => {
      if (bytes.length === 0) return connection.end();
      const { connections } = destination;
      const route =
        verdict?.kind === 'hello' && connections !== null
          ? matchServerName(connections, verdict.serverName)
          : null;
      this.#route(connection, context, destination, route, bytes);
      if (ended) connection.receiveEnd();
    });
    connection.serve(stage, NOTHING);
    connection.transport.resume();
  }

  /** Carries a connection to a backend of its route; without a route it is refused. */
  #route(
    connection: DownstreamConnection,
    context: OutboundContext,
    destination: Destination,
    route: ConnectionRoute | null,
    bytes: Buffer,
  ): void {
    const backend = route === null ? null : pickBackend(route, this.#options.splice.random());
    this.#splice(connection, context, backend?.cluster ?? null, destination, bytes, route);
  }

  /** Waits for the first bytes. What is not HTTP goes to the destination's cluster, if it has one. */
  #detect(
    connection: DownstreamConnection,
    context: OutboundContext,
    timeoutMs: number,
    destination: Destination | null,
  ): void {
    const { clock, wheel, learned, codecs, limits } = this.#options;
    const declared = destination === null ? context.host === '' : destination.protocol !== 'detect';
    const timeouts = { ...limits.http1, detectTimeoutMs: timeoutMs };
    const stage = new FirstBytes(clock, wheel, timeouts, judge, (verdict, bytes, ended) => {
      if (verdict === null && !ended) this.#countUndecided(declared, bytes.length === 0);
      if (verdict === 'http1' || verdict === 'http2' || (declared && bytes.length > 0)) {
        if (destination !== null && !declared) learned.sawHttp(destination.name);
        const version = httpVersion(verdict, destination === null ? null : destination.protocol);
        const options = { version, scheme: 'http', trusted: false, context } as const;
        connection.serve(serveHttp(codecs, connection.transport, this, options), bytes);
        if (ended) connection.receiveEnd();
      } else if (declared) {
        connection.end();
      } else if (destination === null || destination.cluster === null) {
        connection.refuse();
      } else {
        this.#splice(connection, context, destination.cluster, destination, bytes);
        if (ended) connection.receiveEnd();
      }
    });
    connection.serve(stage, NOTHING);
  }

  /** The time for the first bytes is over; a head that has begun is counted by its codec. */
  #countUndecided(declared: boolean, silent: boolean): void {
    const { faults, undetected } = this.#options;
    if (!declared) undetected.value++;
    else if (silent) faults.limit('idleTimeoutMs');
  }

  #splice(
    connection: DownstreamConnection,
    context: OutboundContext,
    cluster: Cluster | null,
    destination: Destination | null,
    bytes: Buffer,
    route: ConnectionRoute | null = null,
  ): void {
    const { edges, learned, splice, accessLog } = this.#options;
    const service: ServiceLabels = cluster?.config.service ?? destination?.service ?? UNKNOWN_SERVICE;
    const stage = new Splice(
      splice,
      {
        series: (endpoint: Endpoint | null) => edges.to(endpoint, service, 'tcp'),
        serverSpokeFirst() {
          if (destination !== null && destination.protocol === 'detect') {
            learned.serverSpokeFirst(destination.name);
          }
        },
        onSpliceEnd: (ended, failure) =>
          logSplice(
            accessLog,
            'outbound',
            splice.clock,
            ended,
            failure,
            context,
            ended.endpoint?.identity ?? '',
            route?.origin,
          ),
      },
      connection.transport,
      cluster,
    );
    connection.serve(stage, bytes);
    if (cluster === null && route === null) stage.refuse('NO_ROUTE');
    else stage.start();
  }

  // ---- Requests

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): void {
    const context = stream.connection.context as OutboundContext;
    if (context.host === '' && head.method === 'CONNECT' && head.upgrade === '')
      this.#connect(stream, head, context);
    else this.#options.requests.onRequest(stream, head, end);
  }

  /** CONNECT to the proxy port: what is inside the tunnel is served as if it had been redirected here. */
  #connect(stream: ServerStream, head: RequestHead, context: OutboundContext): void {
    const { connections, queue, isOwn, requests, refusals, faults } = this.#options;
    const target = splitAuthority(head.authority);
    if (target === null || isOwn(target.host, target.port)) {
      return requests.onRequest(stream, { ...head, method: 'CONNECT' }, false);
    }
    if (connections.full) {
      faults.limit('maxConnections');
      return refusals.onRequest(stream, head, false);
    }
    const transport = new StreamTransport(stream, queue, UNUSED);
    const connection = new DownstreamConnection(connections, transport, context.client);
    transport.user = connection;
    stream.respond({ status: 200, fields: [], contentLength: -1 }, false);
    this.#open(connection, target.host, target.port);
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
const UNUSED = { receive() {}, receiveEnd() {}, closed() {} };

function judgeHello(bytes: Buffer): Exclude<ClientHello, { kind: 'incomplete' }> | null {
  const hello = readClientHello(bytes);
  return hello.kind === 'incomplete' ? null : hello;
}

function judge(bytes: Buffer): 'http1' | 'http2' | 'opaque' | null {
  const protocol = detectProtocol(bytes);
  return protocol === 'incomplete' ? null : protocol;
}
