import { meshAlpn } from '../../api/protocol.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { InboundContext } from '../exchange/inbound-direction.ts';
import { Splice } from '../exchange/splice.ts';
import type { RequestHandler } from '../exchange/stream.ts';
import type { IdentitySource } from '../identity/identity.ts';
import type { SocketTransport, TransportShared } from '../transport/socket-transport.ts';
import type { AcceptorOptions } from './acceptor-options.ts';
import { httpVersion } from './detect-protocol.ts';
import type { DownstreamConnection } from './downstream-connection.ts';
import { FirstBytes } from './first-bytes.ts';
import { type InboundVerdict, isMeshAlpn, judge } from './inbound-verdict.ts';
import { LateHello } from './late-hello.ts';
import type { InboundPortConfig } from './listener-config.ts';
import { serveHttp } from './server-codecs.ts';
import { logSplice } from './splice-log.ts';
import { type SecuredClient, terminateTls } from './terminate-tls.ts';

export interface InboundConnectionOptions extends AcceptorOptions {
  readonly transport: TransportShared;
  readonly identity: IdentitySource;
  /** Answers requests in plaintext on a port that demands mTLS. */
  readonly refusals: RequestHandler;
}

/** The application behind a port. */
export interface Application {
  /** Port by which the world and the configuration know it. */
  readonly port: number;
  readonly cluster: Cluster;
}

const HTTP_ALPN = ['h2', 'http/1.1'];
const NOTHING: Buffer = Buffer.alloc(0);
/** A sidecar sends its ClientHello at once, so a port known to speak first waits only for a network's delay. */
const KNOWN_SERVER_FIRST_MS = 100;

/**
 * What happens to a connection that reaches the pod: whether it comes from the mesh, who the peer is, which protocol it
 * speaks, and who serves it.
 *
 *   first bytes ─┬─ ClientHello, mesh ALPN ──▶ mTLS ──▶ identity ──▶ HTTP/2, HTTP/1.1 or bytes
 *                ├─ ClientHello, HTTP port declared ──▶ mTLS (proxyless gRPC) ──▶ HTTP
 *                ├─ any other ClientHello ──▶ bytes to the application      ┐
 *                └─ plaintext ──▶ HTTP or bytes                             ┘ permissive only
 *   nothing in time ──▶ bytes to the application, permissive only ── ClientHello, mesh ALPN, before any other byte ──▶ mTLS
 */
export class InboundConnection {
  readonly #options: InboundConnectionOptions;
  readonly #connection: DownstreamConnection;
  readonly #transport: SocketTransport;
  readonly #application: Application;
  readonly #config: InboundPortConfig;

  constructor(
    options: InboundConnectionOptions,
    connection: DownstreamConnection,
    transport: SocketTransport,
    application: Application,
    config: InboundPortConfig,
  ) {
    this.#options = options;
    this.#connection = connection;
    this.#transport = transport;
    this.#application = application;
    this.#config = config;
  }

  start(): void {
    const { clock, wheel, detectTimeoutMs, limits } = this.#options;
    const stage = new FirstBytes<InboundVerdict>(
      clock,
      wheel,
      { ...limits.http1, detectTimeoutMs: this.#patience(detectTimeoutMs) },
      judge,
      (verdict, bytes, ended) => {
        if (verdict === null && !ended) this.#countUndecided(bytes.length === 0);
        this.#decide(verdict, bytes);
        if (ended) this.#connection.receiveEnd();
      },
    );
    this.#connection.serve(stage, NOTHING);
    this.#transport.resume();
  }

  /** A port that speaks HTTP waits for it; on others the server may have to speak first, unless only the mesh may call. */
  #patience(detectTimeoutMs: number): number {
    const { protocol, mtls, port } = this.#config;
    const { learned, limits } = this.#options;
    if (protocol === 'http' || protocol === 'http2' || protocol === 'grpc') return Number.POSITIVE_INFINITY;
    if (mtls === 'strict') return limits.connections.handshakeTimeoutMs;
    const known = learned.isServerFirst(String(port), this.#address);
    return known ? Math.min(detectTimeoutMs, KNOWN_SERVER_FIRST_MS) : detectTimeoutMs;
  }

  /** Of the client. A pod has a sidecar or has none, so what was learned of one client is no guess about another. */
  get #address(): string {
    const { client } = this.#connection;
    return client.slice(0, client.lastIndexOf(':'));
  }

  /** The time for the first bytes is over, as {@link #patience} gives it; a head that has begun is counted by its codec. */
  #countUndecided(silent: boolean): void {
    const { faults, undetected } = this.#options;
    const { protocol, mtls } = this.#config;
    if (protocol === 'http' || protocol === 'http2' || protocol === 'grpc') {
      if (silent) faults.limit('idleTimeoutMs');
    } else if (mtls === 'strict') {
      if (silent) faults.limit('handshakeTimeoutMs');
    } else if (protocol === 'detect') {
      undetected.value++;
    }
  }

  #decide(verdict: InboundVerdict | null, bytes: Buffer): void {
    const { protocol, mtls } = this.#config;
    const http = protocol === 'http' || protocol === 'http2' || protocol === 'grpc';
    if (verdict === 'mesh') return this.#secure(bytes, Object.values(meshAlpn));
    if (verdict === 'tls' && http) return this.#secure(bytes, HTTP_ALPN);
    if (http && bytes.length === 0) return this.#connection.end();
    const isHttp = verdict === 'http1' || verdict === 'http2' || (http && bytes.length > 0);
    if (mtls === 'strict') {
      if (isHttp)
        this.#serve(
          this.#transport,
          httpVersion(verdict, protocol),
          false,
          '',
          bytes,
          this.#options.refusals,
        );
      else if (bytes.length === 0) this.#refuse('silence, and mTLS is required');
      else {
        this.#options.faults.protocol('tls', 'client', 'plaintext');
        this.#refuse('plaintext, and mTLS is required');
      }
      return;
    }
    if (isHttp && protocol !== 'opaque') {
      this.#options.learned.sawHttp(String(this.#config.port));
      return this.#serve(this.#transport, httpVersion(verdict, protocol), false, '', bytes, null);
    }
    this.#splice(this.#transport, '', bytes, verdict === null);
  }

  #secure(bytes: Buffer, alpn: readonly string[]): void {
    const { identity, transport, limits, faults } = this.#options;
    const own = identity.current;
    if (own === null) return this.#refuse('no certificate has been issued to this proxy yet');
    const handshake = terminateTls(
      this.#transport,
      bytes,
      transport,
      own,
      alpn,
      limits.connections.handshakeTimeoutMs,
      (client, reason, failure) => {
        if (client !== null) return this.#secured(client, own.spiffe);
        if (failure === 'timeout') faults.limit('handshakeTimeoutMs');
        else faults.protocol('tls', 'client', failure ?? 'handshake');
        this.#refuse(`TLS: ${reason}`);
      },
    );
    this.#connection.serve(handshake, NOTHING);
  }

  #secured(client: SecuredClient, own: string): void {
    const connection = this.#connection;
    connection.transport = client.transport;
    connection.expiresAt = client.expiresAt;
    client.transport.user = connection;
    // Authorization of the peer for this port belongs here, and per request in InboundDirection.
    switch (client.alpn) {
      case meshAlpn.tcp:
        this.#splice(client.transport, client.peer, NOTHING);
        return;
      case meshAlpn.http2:
      case 'h2':
        this.#serve(
          client.transport,
          'http2',
          client.alpn === meshAlpn.http2,
          client.peer,
          NOTHING,
          null,
          own,
        );
        break;
      default:
        this.#serve(
          client.transport,
          'http1',
          client.alpn === meshAlpn.http1,
          client.peer,
          NOTHING,
          null,
          own,
        );
    }
    client.transport.resume();
  }

  #serve(
    transport: SocketTransport,
    version: 'http1' | 'http2',
    fromSidecar: boolean,
    peer: string,
    bytes: Buffer,
    handler: RequestHandler | null,
    own = '',
  ): void {
    const { codecs, requests } = this.#options;
    const { client } = this.#connection;
    const context = new InboundContext(
      client,
      peer,
      own,
      this.#config,
      this.#application.cluster,
      fromSidecar,
    );
    const options = { version, scheme: 'http', trusted: fromSidecar, context } as const;
    this.#connection.serve(serveHttp(codecs, transport, handler ?? requests, options), bytes);
  }

  /** `undecided`: the time was over before the client had said what it is. */
  #splice(transport: SocketTransport, peer: string, bytes: Buffer, undecided = false): void {
    const { splice, edges, learned, accessLog } = this.#options;
    const { client } = this.#connection;
    const { port } = this.#config;
    const context = new InboundContext(client, peer, '', this.#config, this.#application.cluster, false);
    let late: LateHello | null = null;
    const stage = new Splice(
      splice,
      {
        series: () => context.series(edges, 'tcp'),
        serverSpokeFirst: () => {
          late?.serverSpoke();
          if (peer === '') learned.serverSpokeFirst(String(port), this.#address);
        },
        onSpliceEnd: (ended, failure) =>
          logSplice(accessLog, 'inbound', splice.clock, ended, failure, context, peer),
      },
      transport,
      this.#application.cluster,
    );
    if (undecided) late = this.#awaitLateHello(stage);
    this.#connection.serve(late ?? stage, bytes);
    stage.start();
  }

  #awaitLateHello(splice: Splice): LateHello {
    const { clock, wheel, limits } = this.#options;
    const connection = this.#connection;
    return new LateHello(
      {
        clock,
        wheel,
        headTimeoutMs: limits.http1.headTimeoutMs,
        isMesh: alpn => alpn.some(isMeshAlpn),
        onMesh: bytes => this.#secure(bytes, Object.values(meshAlpn)),
        onPlain(bytes, ended) {
          connection.serve(splice, bytes);
          if (ended) splice.receiveEnd();
        },
      },
      splice,
    );
  }

  #refuse(reason: string): void {
    const { log } = this.#options;
    log.info({ client: this.#connection.client, port: this.#config.port, reason }, 'connection refused');
    this.#connection.refuse();
  }
}
