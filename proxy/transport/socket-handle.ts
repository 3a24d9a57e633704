/**
 * The few things that Node's sockets can do and do not offer. Each is checked when it is used: a Node that has changed
 * them makes the proxy fail at once and by name, never silently.
 */
import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { getSystemErrorName } from 'node:util';

interface Handle {
  /** File descriptor; -1 when closed. */
  readonly fd?: number;
  /** The handle under a TLS handle. */
  readonly _parent?: Handle;
  close(callback?: () => void): void;
  /** Closes a TCP handle with RST; non-zero if it cannot. */
  reset?(callback?: () => void): number;
  /** Result of OpenSSL's verification of the peer's chain; null or undefined if it holds. */
  verifyError?(): Error | null | undefined;
  hasPeerCertificate?(): boolean;
}

/** Where reads land and who gets them, as `net.connect` takes it. */
export interface OnRead {
  readonly buffer: Uint8Array;
  callback(size: number, buffer: Uint8Array): boolean;
}

function handleOf(socket: Socket): Handle | null {
  const handle = (socket as unknown as { _handle?: Handle | null })._handle;
  if (handle === undefined) throw new Error('this version of Node keeps no handle in net.Socket');
  return handle;
}

/** File descriptor of a TCP socket; -1 if it is closed. */
export function descriptorOf(socket: Socket): number {
  return handleOf(socket)?.fd ?? -1;
}

/**
 * Moves an accepted connection to a socket that reads into a given buffer, which a server cannot be told to make. Costs
 * one more object a connection and saves an allocation of 64 KiB a read (8.2 → 7.0 µs for a small message).
 * @returns null if the connection is closed already.
 */
export function rehouse(accepted: Socket, onread: OnRead): Socket | null {
  const handle = handleOf(accepted);
  if (handle === null) return null;
  (accepted as unknown as { _handle: null })._handle = null;
  const options = { handle, onread, allowHalfOpen: true, pauseOnCreate: true };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  // Without its handle the old object only tells the server that it has one connection less.
  accepted.destroy();
  return socket;
}

/**
 * Makes a socket read into a given buffer from now on, as `onread` does for one that is being made: a TLS socket over an
 * accepted one cannot be told. False if this version of Node keeps its buffer elsewhere; then 'data' events have to do,
 * at the cost of an allocation for each TLS record.
 */
export function readInto(socket: Socket, onread: OnRead): boolean {
  const handle = handleOf(socket) as (Handle & { useUserBuffer?(buffer: Uint8Array): void }) | null;
  const symbols = new Map(Object.getOwnPropertySymbols(socket).map(symbol => [symbol.description, symbol]));
  const buffer = symbols.get('kBuffer');
  const callback = symbols.get('kBufferCb');
  if (handle?.useUserBuffer === undefined || buffer === undefined || callback === undefined) return false;
  Object.assign(socket, { [buffer]: onread.buffer, [callback]: onread.callback });
  handle.useUserBuffer(onread.buffer);
  return true;
}

/** A write that was not done when `writeBuffer` returned. */
export interface WriteRequest {
  /** Called with the status when it is done. */
  oncomplete: ((status: number) => void) | null;
  /** What `oncomplete` would have been called with, had there been one: 0, or the negative number of an error. */
  readonly writeStatus: number | null;
  /** What the kernel reads from, which must live as long as the write. */
  buffer: Buffer | null;
}

/** The writing part of a handle. */
export interface WriteHandle {
  /** The handle under a TLS handle. */
  readonly _parent?: WriteHandle;
  /** Bytes that the kernel has not taken yet; absent where no kernel is underneath. */
  readonly writeQueueSize?: number;
  /** @returns 0 if it is done, the negative number of an error, or what is under way */
  writeBuffer(request: null, bytes: Buffer): number | WriteRequest;
}

/** Handles make their own requests since then; older ones end the process for want of one. */
const OWN_REQUESTS = [26, 10] as const;

/** For writing without a Writable; null if the socket is closed or this version of Node wants one. */
export function writeHandleOf(socket: Socket, version = process.versions.node): WriteHandle | null {
  const [major, minor] = version.split('.').map(Number);
  if (major < OWN_REQUESTS[0] || (major === OWN_REQUESTS[0] && minor < OWN_REQUESTS[1])) return null;
  const handle = handleOf(socket) as (Handle & Partial<WriteHandle>) | null;
  if (handle === null) return null;
  if (handle.writeBuffer === undefined) throw new Error('this version of Node cannot write to a handle');
  return handle as WriteHandle;
}

/** What Node's own writes fail with. */
export function writeError(status: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { errno: status, code, syscall: 'write' });
}

/** Makes the coming `destroy()` end TCP with RST instead of FIN, under TLS as well. */
export function resetOnDestroy(socket: Socket): void {
  const handle = handleOf(socket);
  if (handle === null) return;
  let tcp = handle;
  while (tcp._parent !== undefined) tcp = tcp._parent;
  const { close, reset } = tcp;
  if (reset === undefined) return;
  tcp.close = callback => {
    // Refused after a shutdown (libuv: uv_tcp_close_reset): the FIN is out already.
    if (reset.call(tcp, callback) !== 0) close.call(tcp, callback);
  };
}

/**
 * Lets what the peer has sent be read although a write to it has failed. A server that answers before the end of a request
 * and closes resets the connection with the rest of it (RFC 9112 §9.6); Node would close the socket with the failed
 * write, and the answer would be lost. The end of such a socket is never told as FIN.
 */
export function readBeforeClosing(socket: Socket): void {
  const destroy = socket.destroy;
  let failed = false;
  socket.destroy = (error?: NodeJS.ErrnoException) => {
    if (failed || error?.syscall !== 'write') return destroy.call(socket, error);
    failed = true;
    // What is there is read between the two.
    setImmediate(() => setImmediate(() => destroy.call(socket, error)));
    return socket;
  };
}

/**
 * Why the certificate of a client cannot be trusted, '' if it can. Node answers this only for sockets of a
 * `tls.Server`; fails closed without a certificate, as on a resumed session.
 */
export function chainError(socket: TLSSocket): string {
  const handle = handleOf(socket);
  if (handle === null) return 'the connection is closed';
  if (handle.verifyError === undefined) throw new Error('this version of Node cannot verify a peer');
  const error = handle.verifyError();
  if (error !== null && error !== undefined) return error.message;
  if (socket.isSessionReused()) return 'the session was resumed';
  return socket.getPeerX509Certificate() === undefined ? 'there is no certificate' : '';
}

/**
 * Makes errors of an established TLS session destroy the socket. Node does this for sockets of a `tls.Server`; others
 * would swallow them.
 */
export function reportTlsErrors(socket: TLSSocket): void {
  const internal = socket as unknown as { _releaseControl?: () => boolean };
  if (internal._releaseControl === undefined)
    throw new Error('this version of Node cannot release a TLS socket');
  internal._releaseControl();
}
