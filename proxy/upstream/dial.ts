import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { applicationSource } from '../../api/ports.ts';
import { meshAlpn } from '../../api/protocol.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { TimerWheel } from '../exchange/timer-wheel.ts';
import { WheelTimer } from '../exchange/timer-wheel.ts';
import type { Identity, IdentitySource } from '../identity/identity.ts';
import { peerIdentity } from '../identity/peer-certificate.ts';
import { type OnRead, readBeforeClosing } from '../transport/socket-handle.ts';
import { SHARED_HIGH_WATER, SocketTransport, type TransportShared } from '../transport/socket-transport.ts';
import type { TransportUser } from '../transport/transport.ts';

/** `tls.connect` takes the options of `net.connect` as well; its type leaves some out. */
type TlsOptions = ConnectionOptions & {
  onread: OnRead;
  noDelay: boolean;
  allowHalfOpen: boolean;
  autoSelectFamily: boolean;
};

/** What every connection to an endpoint needs. */
export interface DialContext {
  readonly transport: TransportShared;
  readonly identity: IdentitySource;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  /** One side did not accept the other's certificate. */
  readonly onDistrust: (target: DialTarget, failure: 'identity' | 'rejected', detail: string) => void;
}

export interface DialTarget {
  /** IP address, or a host name that is resolved. */
  readonly address: string;
  /**
   * The pod's own address, tried when `address` refuses the connection; '' for none. Plaintext only. It is called from
   * `applicationSource`, by which the redirection knows it from a call of this pod as a peer.
   */
  readonly fallback: string;
  readonly port: number;
  /** ALPN protocol of a TLS connection with our certificate; '' for plaintext. */
  readonly alpn: string;
  /** SPIFFE ID that the peer must prove; '' for plaintext. */
  readonly identity: string;
  /** TCP and TLS together, ms. */
  readonly timeoutMs: number;
}

/**
 * Why a connection could not be opened.
 *  - `refused`: refused, reset, unreachable.
 *  - `timeout`: not open in time.
 *  - `identity`: the peer did not prove the identity that was asked for.
 *  - `rejected`: the peer did not accept our certificate, which is not its fault.
 *  - `no-certificate`: we have none yet.
 *  - `exhausted`: this host has no port or file descriptor left.
 */
export type DialFailure = 'refused' | 'timeout' | 'identity' | 'rejected' | 'no-certificate' | 'exhausted';

export interface DialOwner {
  /** The transport reads only after `resume()`; its user must be set at once. */
  onDialed(dial: Dial, transport: SocketTransport): void;
  onDialFailed(dial: Dial, failure: DialFailure, detail: string): void;
}

const UNUSED: TransportUser = { receive() {}, receiveEnd() {}, closed() {} };

/**
 * One connection being opened.
 *
 *   connecting ──TCP──▶ (TLS: securing ──identity proved──▶) done ──▶ onDialed
 *       └──────────────────┴── error, timeout ──▶ done ──▶ onDialFailed         cancel() ──▶ done, silently
 */
export class Dial {
  readonly target: DialTarget;
  /** Clock time at which the peer must be ready. */
  readonly deadline: number;
  /** Generation of the certificate that is used; 0 for plaintext. */
  readonly generation: number;
  /** Unix ms at which the first of the two certificates ends; Infinity for plaintext. */
  expiresAt = Number.POSITIVE_INFINITY;
  readonly #owner: DialOwner;
  readonly #context: DialContext;
  readonly #transport: SocketTransport;
  readonly #timer: WheelTimer;
  #socket: Socket | null = null;
  #done = false;

  /** Begins at once; the owner is told later, never before this returns. */
  constructor(context: DialContext, target: DialTarget, owner: DialOwner) {
    this.target = target;
    this.#owner = owner;
    this.#context = context;
    const shared = target.alpn === meshAlpn.http2;
    this.#transport = new SocketTransport(context.transport, UNUSED, shared ? SHARED_HIGH_WATER : undefined);
    this.#timer = new WheelTimer(this);
    const identity = context.identity.current;
    this.generation = target.alpn === '' || identity === null ? 0 : identity.generation;
    if (target.alpn === '') this.#connect(target.address);
    else if (identity !== null) this.#connectSecurely(identity);
    else
      queueMicrotask(() => this.#fail('no-certificate', 'no certificate has been issued to this proxy yet'));
    this.deadline = context.clock.now() + target.timeoutMs;
    context.wheel.set(this.#timer, this.deadline);
  }

  cancel(): void {
    if (this.#done) return;
    this.#finish();
    this.#socket?.destroy();
  }

  onDeadline(): void {
    this.#fail('timeout', `not open after ${this.target.timeoutMs} ms`);
  }

  #connect(address: string): void {
    const { fallback, port } = this.target;
    const socket = connect({
      host: address,
      port,
      ...(address === fallback ? { localAddress: applicationSource } : {}),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: this.#context.transport.keepaliveMs,
      allowHalfOpen: true,
      autoSelectFamily: false,
      onread: this.#transport.onread(),
    });
    this.#socket = socket;
    readBeforeClosing(socket);
    socket.pause();
    socket.once('connect', () => {
      if (!this.#done) this.#succeed(socket);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#done) return;
      if (error.code === 'ECONNREFUSED' && fallback !== '' && address !== fallback) this.#connect(fallback);
      else this.#fail(failureOf(error), error.message);
    });
  }

  #connectSecurely(identity: Identity): void {
    const { address, port, alpn } = this.target;
    const options: TlsOptions = {
      host: address,
      port,
      secureContext: identity.context,
      ALPNProtocols: [alpn],
      rejectUnauthorized: true,
      // The name that counts is the SPIFFE ID, compared below; there is no host name in the certificate.
      checkServerIdentity: () => undefined,
      noDelay: true,
      allowHalfOpen: true,
      autoSelectFamily: false,
      onread: this.#transport.onread(),
    };
    const socket = connectTls(options);
    this.#socket = socket;
    socket.once('connect', () => socket.setKeepAlive(true, this.#context.transport.keepaliveMs));
    socket.once('secureConnect', () => {
      if (this.#done) return;
      socket.pause();
      const problem = this.#proveIdentity(socket, identity);
      if (problem === '') this.#succeed(socket);
      else this.#fail('identity', problem);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(failureOf(error), error.message));
  }

  /** Why the peer is not who it should be, '' if it is. Fails closed. */
  #proveIdentity(socket: TLSSocket, own: Identity): string {
    const { alpn, identity } = this.target;
    if (!socket.authorized) return `certificate not trusted: ${String(socket.authorizationError)}`;
    if (socket.isSessionReused()) return 'the session was resumed, which shows no certificate';
    if (socket.getProtocol() !== 'TLSv1.3') return `TLS 1.3 is required, not ${socket.getProtocol()}`;
    if (socket.alpnProtocol !== alpn) return `ALPN ${alpn} was not chosen: the peer is no sidecar`;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return 'the peer showed no certificate';
    const peer = peerIdentity(certificate.raw);
    if (peer.kind === 'none') return peer.reason;
    if (peer.uri !== identity) return `the peer is ${peer.uri}, expected ${identity}`;
    this.expiresAt = Math.min(own.notAfter, certificate.validToDate.getTime());
    return '';
  }

  #succeed(socket: Socket): void {
    this.#finish();
    this.#transport.attach(socket, true);
    this.#owner.onDialed(this, this.#transport);
  }

  #fail(failure: DialFailure, detail: string): void {
    if (this.#done) return;
    this.#finish();
    this.#socket?.destroy();
    if (failure === 'identity' || failure === 'rejected')
      this.#context.onDistrust(this.target, failure, detail);
    this.#owner.onDialFailed(this, failure, detail);
  }

  #finish(): void {
    this.#done = true;
    this.#context.wheel.clear(this.#timer);
  }
}

/** Errors of OpenSSL's that say that the peer refused us (RFC 8446 §6.2: alerts it received), not we the peer. */
const ALERT = /_ALERT_(?:BAD_CERTIFICATE|CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/;
const EXHAUSTED: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

function failureOf(error: NodeJS.ErrnoException): DialFailure {
  const code = error.code ?? '';
  if (ALERT.test(code)) return 'rejected';
  if (EXHAUSTED.has(code)) return 'exhausted';
  if (code === 'ETIMEDOUT') return 'timeout';
  // What a peer answers that speaks no TLS (Node: errors of OpenSSL that come up in a write).
  if (code === 'EPROTO') return 'identity';
  const ours = code.startsWith('E') && !code.startsWith('ERR_');
  return ours ? 'refused' : 'identity';
}
