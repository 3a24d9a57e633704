import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { Clock } from '../../runtime/clock.ts';
import type { ClientConnection, ClientConnectionOwner, FieldLines, ResetReason } from '../exchange/stream.ts';
import { type CallReceiver, type CallRequest, GrpcCall } from '../grpc/call.ts';
import { statusCodes } from '../grpc/status.ts';
import { callOnce, type UnaryResult } from '../grpc/unary.ts';
import { Http2ClientConnection } from '../http2/client-connection.ts';
import { type Http2Limits, TRUSTED_LIMITS } from '../http2/limits.ts';
import type { Http2Workspace } from '../http2/workspace.ts';
import { SocketTransport, type TransportShared } from '../transport/socket-transport.ts';

const TICK_MS = 1000;

/** Where the control plane is. */
export interface ControlPlaneTarget {
  readonly host: string;
  readonly port: number;
  /** DNS name that its certificate must carry. */
  readonly serverName: string;
}

/** What connections of this process share. */
export interface ControlConnectionContext {
  readonly transport: TransportShared;
  readonly workspace: Http2Workspace;
  readonly clock: Clock;
  /** TCP and TLS together, ms. */
  readonly connectTimeoutMs: number;
}

/** PING every 10 s: a control plane that has gone without a word is noticed within 20 s. */
const LIMITS: Readonly<Http2Limits> = { ...TRUSTED_LIMITS, streamIdleTimeoutMs: 0, idleTimeoutMs: 0 };

/** Limits that are passed when nothing comes any more. */
const SILENCE: ReadonlySet<string> = new Set(['flushStallMs', 'keepaliveTimeoutMs', 'prefaceTimeoutMs']);

const noUser = { receive() {}, receiveEnd() {}, closed() {} };

/** `host:port`, IPv6 in brackets. Throws a RangeError that names the remedy. */
export function parseTarget(hostPort: string, serverName: string): ControlPlaneTarget {
  const parts = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(hostPort);
  const port = Number(parts?.[3]);
  if (parts === null || port < 1 || port > 65_535) {
    throw new RangeError(`TULLE_CONTROL_PLANE is ${JSON.stringify(hostPort)}; use HOST:PORT`);
  }
  const host = parts[1] ?? parts[2];
  return { host, port, serverName: serverName === '' ? host : serverName };
}

export interface ControlConnectionOwner {
  /** Calls may be made. */
  onOpen(connection: ControlConnection): void;
  /** Once, whether it was open or could not be opened; `reason` is for the log. Calls have been told before. */
  onClosed(connection: ControlConnection, reason: string): void;
}

/**
 * One connection to the control plane: HTTP/2 over TLS 1.3, its name verified against the trust bundle.
 *
 *   connecting ──TLS──▶ open ──GOAWAY, error, end──▶ closed ──▶ onClosed
 *       └── error, timeout ──────────────────────────▲           close() ──▶ closed, silently
 */
export class ControlConnection implements ClientConnectionOwner {
  /** Clock time of the last sign of life: an answered PING; every ten seconds while nothing else comes. */
  heardAt: number;
  readonly #context: ControlConnectionContext;
  readonly #target: ControlPlaneTarget;
  readonly #owner: ControlConnectionOwner;
  readonly #socket: TLSSocket;
  #http2: Http2ClientConnection | null = null;
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  /** The best explanation so far; errors of the socket come before the end that they cause. */
  #reason = '';
  #cancelTimer: () => void;

  /** `secureContext` has the roots, and our certificate if the call needs one. The owner is told later. */
  constructor(
    context: ControlConnectionContext,
    target: ControlPlaneTarget,
    secureContext: SecureContext,
    owner: ControlConnectionOwner,
  ) {
    this.#context = context;
    this.#target = target;
    this.#owner = owner;
    this.heardAt = context.clock.now();
    const transport = new SocketTransport(context.transport, noUser);
    const socket = connect({
      host: target.host,
      port: target.port,
      // A name is needed for SNI, and an address is none (RFC 6066 §3); it is then verified as an address.
      ...(isIP(target.serverName) === 0 ? { servername: target.serverName } : {}),
      secureContext,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: true,
      noDelay: true,
      onread: transport.onread(),
    } as ConnectionOptions);
    this.#socket = socket;
    socket.once('secureConnect', () => this.#secured(transport));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#reason === '') this.#reason = explain(error, target);
      this.#end();
    });
    socket.once('close', () => this.#end());
    this.#cancelTimer = context.clock.after(context.connectTimeoutMs, () => {
      this.#reason = `no connection within ${context.connectTimeoutMs} ms`;
      this.#end();
    });
  }

  /** Starts a call; null if the connection takes none (any more). */
  call(path: string, metadata: FieldLines, receiver: CallReceiver): GrpcCall | null {
    const http2 = this.#http2;
    if (this.#state !== 'open' || http2 === null || http2.capacity === 0) return null;
    return new GrpcCall(http2, this.#request(path, metadata), receiver);
  }

  /** One message there and one back. */
  async callOnce(
    path: string,
    metadata: FieldLines,
    message: Uint8Array,
    timeoutMs: number,
  ): Promise<UnaryResult> {
    const http2 = this.#http2;
    if (this.#state !== 'open' || http2 === null || http2.capacity === 0) {
      const text = this.#reason === '' ? 'the connection is closed' : this.#reason;
      return { kind: 'failed', status: { code: statusCodes.unavailable, message: text } };
    }
    return callOnce(http2, this.#request(path, metadata), message, timeoutMs, this.#context.clock);
  }

  /** Ends it without a word to the owner. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#cancelTimer();
    if (this.#http2 === null) this.#socket.destroy();
    else this.#http2.destroy();
  }

  #request(path: string, metadata: FieldLines): CallRequest {
    return { scheme: 'https', authority: this.#target.serverName, path, metadata };
  }

  #secured(transport: SocketTransport): void {
    if (this.#state !== 'connecting') return;
    this.#cancelTimer();
    if (this.#socket.alpnProtocol !== 'h2') {
      this.#reason = 'the server does not speak HTTP/2; is this the right port?';
      this.#end();
      return;
    }
    this.#state = 'open';
    transport.attach(this.#socket, true);
    const http2 = new Http2ClientConnection({
      transport,
      workspace: this.#context.workspace,
      limits: LIMITS,
      observer: {
        onLimit: name =>
          this.#note(
            SILENCE.has(name) ? 'the control plane does not answer' : `the limit ${name} was exceeded`,
          ),
        onFault: (_code, text) => this.#note(text),
        onRoundTrip: () => {
          this.heardAt = this.#context.clock.now();
        },
      },
      clock: () => this.#context.clock.now(),
      owner: this,
    });
    this.#http2 = http2;
    transport.user = http2;
    this.#tick(http2);
    this.#owner.onOpen(this);
  }

  #tick(http2: Http2ClientConnection): void {
    this.#cancelTimer = this.#context.clock.after(TICK_MS, () => {
      http2.tick(this.#context.clock.now());
      if (this.#state === 'open') this.#tick(http2);
    });
  }

  #note(reason: string): void {
    if (this.#reason === '') this.#reason = reason;
  }

  onCapacity(): void {}

  /** The server wants no more calls: a long call would keep the old connection for ever, so it ends here. */
  onDraining(connection: ClientConnection): void {
    this.#note('the control plane is shutting down or moves us elsewhere (GOAWAY)');
    queueMicrotask(() => connection.destroy());
  }

  onClosed(_connection: ClientConnection, reason: ResetReason): void {
    this.#note(
      reason === 'timeout' || reason === 'connection-lost'
        ? 'the control plane does not answer'
        : `the connection ended (${reason})`,
    );
    this.#end();
  }

  #end(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#cancelTimer();
    if (!this.#socket.destroyed) this.#socket.destroy();
    this.#owner.onClosed(this, this.#reason === '' ? 'the connection ended' : this.#reason);
  }
}

/** OpenSSL's and Node's words, with the remedy where it is known. */
function explain(error: NodeJS.ErrnoException, target: ControlPlaneTarget): string {
  const code = error.code ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the certificate of ${target.host}:${target.port} is not valid for ${target.serverName}; set TULLE_CONTROL_PLANE_NAME to a name it carries (${error.message})`;
  }
  if (/CERT|ISSUER|SELF_SIGNED|CHAIN/.test(code)) {
    return `the certificate of ${target.host}:${target.port} is not trusted (${code}); the file in TULLE_TRUST_BUNDLE must hold its root`;
  }
  if (/ALERT_(?:BAD_CERTIFICATE|CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) {
    return `the control plane refuses our certificate (${code})`;
  }
  return code === '' ? error.message : `${code}: ${error.message}`;
}
