import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { applicationSource } from '../../api/ports.ts';
import { meshAlpn } from '../../api/protocol.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { BackendTlsConfig } from '../cluster/cluster-config.ts';
import type { TimerWheel } from '../exchange/timer-wheel.ts';
import { WheelTimer } from '../exchange/timer-wheel.ts';
import type { Identity, IdentitySource } from '../identity/identity.ts';
import { peerIdentity } from '../identity/peer-certificate.ts';
import { type OnRead, readBeforeClosing, readInto } from '../transport/socket-handle.ts';
import { SHARED_HIGH_WATER, SocketTransport, type TransportShared } from '../transport/socket-transport.ts';
import type { TransportUser } from '../transport/transport.ts';
import type { BackendTlsVerifiers } from './backend-tls.ts';

/** `tls.connect` takes the options of `net.connect` as well; its type leaves some out. */
type TlsOptions = ConnectionOptions & {
  onread?: OnRead;
  noDelay: boolean;
  allowHalfOpen: boolean;
  autoSelectFamily: boolean;
};

/** What every connection to an endpoint needs. */
export interface DialContext {
  readonly transport: TransportShared;
  readonly identity: IdentitySource;
  readonly verifiers: BackendTlsVerifiers;
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  /** One side did not accept the other's certificate, or there is no TLS with the application (`backend`). */
  readonly onDistrust: (
    target: DialTarget,
    failure: 'identity' | 'rejected' | 'backend',
    detail: string,
  ) => void;
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
  /** ALPN protocol of a TLS connection with our certificate; '' for none. */
  readonly alpn: string;
  /** SPIFFE ID that the peer must prove; '' for none. */
  readonly identity: string;
  /** TLS with the application: inside of that with its sidecar if there is one. */
  readonly backendTls: BackendTlsConfig | null;
  /** ALPN protocol that the application is offered; '' for none. HTTP/2 must be chosen (RFC 9113 §3.2), HTTP/1.1 need not be. */
  readonly backendAlpn: 'h2' | 'http/1.1' | '';
  /** TCP and TLS together, ms. */
  readonly timeoutMs: number;
}

/** What answers on the connection is the sidecar of the endpoint, and not its application. */
export function reachesSidecar({ alpn, backendTls }: DialTarget): boolean {
  return alpn !== '' && backendTls === null;
}

/**
 * Why a connection could not be opened.
 *  - `refused`: refused, reset, unreachable.
 *  - `timeout`: not open in time.
 *  - `identity`: the peer did not prove the identity that was asked for.
 *  - `rejected`: the peer did not accept our certificate, which is not its fault.
 *  - `no-certificate`: we have none yet.
 *  - `exhausted`: this host has no port or file descriptor left.
 *  - `backend-certificate`: the application's certificate is not what its policy asks for.
 *  - `backend-tls`: the application does not speak TLS, or not as it must, or refuses us.
 *  - `backend-policy`: the policy on TLS with the application is invalid.
 */
export type DialFailure =
  | 'refused'
  | 'timeout'
  | 'identity'
  | 'rejected'
  | 'no-certificate'
  | 'exhausted'
  | 'backend-certificate'
  | 'backend-tls'
  | 'backend-policy';

export interface DialOwner {
  /** The transport reads only after `resume()`; its user must be set at once. */
  onDialed(dial: Dial, transport: SocketTransport): void;
  onDialFailed(dial: Dial, failure: DialFailure, detail: string): void;
}

type VerifiedTls = Extract<BackendTlsConfig, { kind: 'verified' }>;

const UNUSED: TransportUser = { receive() {}, receiveEnd() {}, closed() {} };

/**
 * One connection being opened.
 *
 *   connecting ──TCP──▶ (mesh: securing ──identity──▶) (application's TLS: verifying ──certificate──▶) done ──▶ onDialed
 *       └─────────────────────┴───────────────────────────┴── error, timeout ──▶ done ──▶ onDialFailed
 *   cancel() ──▶ done, silently
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
    const shared = target.alpn === meshAlpn.http2 || target.backendAlpn === 'h2';
    this.#transport = new SocketTransport(context.transport, UNUSED, shared ? SHARED_HIGH_WATER : undefined);
    this.#timer = new WheelTimer(this);
    const identity = context.identity.current;
    this.generation = target.alpn === '' || identity === null ? 0 : identity.generation;
    const { backendTls } = target;
    if (backendTls?.kind === 'refused')
      queueMicrotask(() => this.#fail('backend-policy', 'the BackendTLSPolicy of the service is invalid'));
    else if (target.alpn === '' && backendTls !== null) this.#connectToBackend(backendTls, null);
    else if (target.alpn === '') this.#connect(target.address);
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
    const { address, port, alpn, backendTls } = this.target;
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
      ...(backendTls === null ? { onread: this.#transport.onread() } : {}),
    };
    const socket = connectTls(options);
    this.#socket = socket;
    socket.once('connect', () => socket.setKeepAlive(true, this.#context.transport.keepaliveMs));
    socket.once('secureConnect', () => {
      if (this.#done) return;
      socket.pause();
      const problem = this.#proveIdentity(socket, identity);
      if (problem !== '') this.#fail('identity', problem);
      else if (backendTls?.kind === 'verified') this.#connectToBackend(backendTls, socket);
      else this.#succeed(socket);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(failureOf(error), error.message));
  }

  /** `tunnel`: the connection with the endpoint's sidecar, through which its application is reached; null without one. */
  #connectToBackend(tls: VerifiedTls, tunnel: TLSSocket | null): void {
    const { address, port, backendAlpn } = this.target;
    const verifier = this.#context.verifiers.of(tls);
    const onread = this.#transport.onread();
    const way =
      tunnel === null
        ? { host: address, port, noDelay: true, autoSelectFamily: false, onread }
        : { socket: tunnel };
    const socket = connectTls({
      ...way,
      allowHalfOpen: true,
      secureContext: verifier.context,
      servername: tls.serverName,
      ...(backendAlpn === '' ? {} : { ALPNProtocols: [backendAlpn] }),
      // Both are judged below: what is wrong with a certificate is told from what is wrong with TLS.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    } as TlsOptions);
    this.#socket = socket;
    let connected = tunnel !== null;
    socket.once('connect', () => {
      connected = true;
      socket.setKeepAlive(true, this.#context.transport.keepaliveMs);
    });
    socket.once('secureConnect', () => {
      if (this.#done) return;
      socket.pause();
      const problem = verifier.problemOf(socket);
      if (problem !== '') return this.#fail('backend-certificate', problem);
      if (backendAlpn === 'h2' && socket.alpnProtocol !== 'h2')
        return this.#fail('backend-tls', 'the application does not offer HTTP/2 by ALPN');
      this.#succeed(socket, tunnel === null || readInto(socket, onread));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const failure = failureOf(error);
      // A sidecar resets what its application does not take; an application that ends the handshake is no error of a read.
      const reset = failure === 'refused' && tunnel !== null && error.syscall !== undefined;
      const told = connected && !reset && failure !== 'timeout';
      this.#fail(told ? 'backend-tls' : failure, error.message);
    });
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

  #succeed(socket: Socket, direct = true): void {
    this.#finish();
    this.#transport.attach(socket, direct);
    this.#owner.onDialed(this, this.#transport);
  }

  #fail(failure: DialFailure, detail: string): void {
    if (this.#done) return;
    this.#finish();
    this.#socket?.destroy();
    if (failure === 'identity' || failure === 'rejected')
      this.#context.onDistrust(this.target, failure, detail);
    if (failure === 'backend-certificate' || failure === 'backend-tls')
      this.#context.onDistrust(this.target, 'backend', detail);
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
