import { type LimitValues, limitValues } from '../../api/limits.ts';

/**
 * Every bound that the HTTP/2 codec keeps. Passing one is reported to {@link Http2Observer.onLimit} under the name it
 * has here.
 */
export type Http2Limits = LimitValues<'http2'>;

/** The limits that are counted per interval. */
export type FloodLimit = 'resets' | 'emptyData' | 'settings' | 'pings' | 'priorities' | 'windowUpdates';

export type Http2LimitName =
  | FloodLimit
  | 'maxConcurrentStreams'
  | 'maxHeaderListBytes'
  | 'maxFieldCount'
  | 'maxHeaderBlockBytes'
  | 'maxDecodedBytes'
  | 'maxContinuations'
  | 'maxOutstandingBytes'
  | 'maxInformational'
  | 'idleTimeoutMs'
  | 'streamIdleTimeoutMs'
  | 'flushStallMs'
  | 'prefaceTimeoutMs'
  | 'headerTimeoutMs'
  | 'keepaliveTimeoutMs';

/** For peers that have not proved to be a sidecar: applications, and any client on a plaintext port. */
export const UNTRUSTED_LIMITS: Http2Limits = limitValues('http2');

/**
 * For links between sidecars with mTLS: they carry everybody's cancels, so the counters allow a hundred times as much;
 * frames are larger; and a dead peer is noticed within 20 s.
 */
export const TRUSTED_LIMITS: Http2Limits = limitValues('http2', 'mesh');

/** What a connection tells its owner besides its streams. Called in the middle of work: it must not call back. */
export interface Http2Observer {
  /** A limit was passed. */
  onLimit(name: Http2LimitName): void;
  /**
   * The peer broke the protocol, or (`peer`) says in its GOAWAY that we did.
   * @param code RFC 9113 §7, @param text one sentence for the log
   */
  onFault(code: number, text: string, scope: 'stream' | 'connection' | 'peer'): void;
  /** A PING was answered. */
  onRoundTrip(ms: number): void;
}
