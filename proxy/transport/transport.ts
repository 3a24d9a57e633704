import type { ResetReason } from '../exchange/stream.ts';
import type { Output } from './output.ts';

/** The three methods of a codec that the owner of its transport calls; see {@link Transport}. */
export interface TransportUser {
  receive(bytes: Buffer): void;
  receiveEnd(): void;
  closed(reason: ResetReason): void;
}

/**
 * What a codec may do to the connection under it. Implemented over sockets in listener and upstream, and over
 * arrays in tests.
 *
 * In the other direction the owner of the transport calls three methods of the codec:
 *  - `receive(bytes)`: the bytes are lent until it returns, since they are in a read buffer that is used again. The owner
 *    never calls it after `closed`.
 *  - `receiveEnd()`: the peer sent FIN (half-close); nothing more comes in.
 *  - `closed(reason)`: the transport is gone. Exactly once, also after `destroy()` and after both sides sent FIN.
 *
 * No method here calls back into the codec before it returns: what follows from it is reported later.
 */
export interface Transport {
  /** Where the codec writes. Nothing written after `end()` or `destroy()` is sent. */
  readonly output: Output;
  /** Stops reading. Bytes that were already read may still be delivered. Idempotent. */
  pause(): void;
  /** Reads again after {@link pause}. Idempotent. */
  resume(): void;
  /** Sends what waits in the output and then FIN; still reads. The transport closes when the peer's FIN is there too. */
  end(): void;
  /**
   * Closes both directions at once and drops what waits in the output. The peer must be able to tell this from a clean
   * end (TCP: RST; TLS: no close_notify), because a body that ends with the connection would look complete otherwise.
   */
  destroy(): void;
  /**
   * After the peer's FIN: whether what was sent has crossed it, so that the peer has not read it. False where that cannot be
   * told.
   */
  crossedEnd?(): boolean;
  /** Finds out whether the peer is dead, which ends the transport. Called about once a second with monotonic milliseconds. */
  tick?(nowMs: number): void;
}
