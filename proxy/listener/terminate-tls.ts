import { TLSSocket } from 'node:tls';
import type { Identity } from '../identity/identity.ts';
import { peerIdentity } from '../identity/peer-certificate.ts';
import { chainError, readInto, reportTlsErrors, resetOnDestroy } from '../transport/socket-handle.ts';
import { SHARED_HIGH_WATER, SocketTransport, type TransportShared } from '../transport/socket-transport.ts';
import type { TransportUser } from '../transport/transport.ts';
import type { Stage } from './downstream-connection.ts';

/** A client that has proved who it is. */
export interface SecuredClient {
  /** Does not read before `resume()`. */
  readonly transport: SocketTransport;
  /** Protocol that was agreed on. */
  readonly alpn: string;
  /** SPIFFE ID of the client. */
  readonly peer: string;
  /** Unix ms at which the first of the two certificates ends. */
  readonly expiresAt: number;
}

/** Why a handshake failed: it took too long, its bytes were not TLS as it should be, or the client is not trusted. */
export type HandshakeFailure = 'timeout' | 'handshake' | 'identity';

const UNUSED: TransportUser = { receive() {}, receiveEnd() {}, closed() {} };

/**
 * Terminates TLS on a connection whose first bytes have been read. The client must show a certificate of the trust bundle
 * with exactly one SPIFFE ID; everything else ends the connection. `settle` is called once, later, with the reason of a
 * failure. What is returned serves the connection meanwhile, and its ticks end a handshake that takes longer than
 * `timeoutMs`, however often the client says a little.
 */
export function terminateTls(
  transport: SocketTransport,
  bytes: Buffer,
  shared: TransportShared,
  identity: Identity,
  alpn: readonly string[],
  timeoutMs: number,
  settle: (client: SecuredClient | null, reason: string, failure: HandshakeFailure | null) => void,
): Stage {
  const raw = transport.detach();
  if (raw === null) {
    queueMicrotask(() => settle(null, 'the connection is closed', 'handshake'));
    return handshake(
      () => {},
      () => {},
    );
  }
  // What was read goes back, so that TLS sees it (Node: TLSSocket reads what its socket has buffered).
  raw.unshift(Buffer.from(bytes));
  const socket = new TLSSocket(raw, {
    isServer: true,
    secureContext: identity.context,
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: [...alpn],
  });
  let settled = false;
  const fail = (reason: string, failure: HandshakeFailure = 'handshake'): void => {
    if (settled) return;
    settled = true;
    // The client takes itself for connected: a clean end would look like the server's.
    if (failure === 'identity') resetOnDestroy(socket);
    socket.destroy();
    raw.destroy();
    settle(null, reason, failure);
  };
  socket.on('error', error => fail(error.message));
  raw.on('error', error => fail(error.message));
  socket.on('close', () => fail('the client closed the connection during the TLS handshake'));
  socket.once('secure', () => {
    if (settled) return;
    reportTlsErrors(socket);
    const problem = chainError(socket);
    if (problem !== '') return fail(`certificate of the client: ${problem}`, 'identity');
    if (socket.getProtocol() !== 'TLSv1.3') return fail('TLS 1.3 is required', 'identity');
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return fail('the client showed no certificate', 'identity');
    const peer = peerIdentity(certificate.raw);
    if (peer.kind === 'none') return fail(`certificate of the client: ${peer.reason}`, 'identity');
    settled = true;
    socket.pause();
    const secured = new SocketTransport(shared, UNUSED, SHARED_HIGH_WATER);
    secured.attach(socket, readInto(socket, secured.onread()));
    settle(
      {
        transport: secured,
        alpn: socket.alpnProtocol === false ? '' : (socket.alpnProtocol ?? ''),
        peer: peer.uri,
        expiresAt: Math.min(identity.notAfter, certificate.validToDate.getTime()),
      },
      '',
      null,
    );
  });
  let startedAt = Number.NaN;
  return handshake(
    () => fail('the proxy is stopping'),
    nowMs => {
      if (Number.isNaN(startedAt)) startedAt = nowMs;
      if (nowMs - startedAt >= timeoutMs) fail(`no TLS handshake within ${timeoutMs} ms`, 'timeout');
    },
  );
}

/** A connection whose handshake is under way: there is nothing to read or to drain yet. */
function handshake(cancel: () => void, tick: (nowMs: number) => void): Stage {
  return {
    active: 1,
    receive() {},
    receiveEnd() {},
    closed() {},
    tick,
    drain() {},
    cutOff: cancel,
    destroy: cancel,
  };
}
