/**
 * Every bound that the HTTP/2 codec keeps, with its default. Passing one is reported to
 * {@link Http2Observer.onLimit} under the name it has here.
 */
export interface Http2Limits {
  /** Streams that the peer may have open at once; advertised. More are refused with REFUSED_STREAM. */
  maxConcurrentStreams: number;
  /**
   * Octets of one decoded header list, 32 added for each field, every cookie crumb counted; advertised. A request
   * beyond it is answered 431, a response is reset; the connection goes on.
   */
  maxHeaderListBytes: number;
  /** Field lines in one header list, answered like {@link maxHeaderListBytes}. */
  maxFieldCount: number;
  /**
   * Octets of one encoded header block, HEADERS and CONTINUATION together. Beyond it the connection ends
   * with GOAWAY ENHANCE_YOUR_CALM.
   */
  maxHeaderBlockBytes: number;
  /** Octets of one decoded header list that end the connection (an HPACK bomb), counted as above. */
  maxDecodedBytes: number;
  /** CONTINUATION frames in one header block. */
  maxContinuations: number;
  /** SETTINGS_HEADER_TABLE_SIZE: advertised, and the bound of our own encoder's table. */
  headerTableBytes: number;
  /** SETTINGS_MAX_FRAME_SIZE: advertised. DATA is passed on while it arrives and never held for it. */
  maxFrameBytes: number;
  /** SETTINGS_INITIAL_WINDOW_SIZE: octets of body that one stream may have under way. */
  streamWindowBytes: number;
  /** Octets of body that all streams of a connection may have under way. */
  connectionWindowBytes: number;
  /** Length of the interval, in ms, over which the counters below run. */
  intervalMs: number;
  /** Streams that ended by RST_STREAM, the peer's or ours for its mistakes (CVE-2023-44487, MadeYouReset). */
  resets: number;
  /** DATA frames without data that do not end a stream. */
  emptyData: number;
  settings: number;
  pings: number;
  /** PRIORITY, PRIORITY_UPDATE and frames of unknown type. */
  priorities: number;
  /** WINDOW_UPDATE frames, besides ten for each DATA frame that was sent. */
  windowUpdates: number;
  /** Octets waiting in the output when an acknowledgement is due: the peer asks but does not read. */
  maxOutstandingBytes: number;
  /** Interim (1xx) responses before a final one. */
  maxInformational: number;
  /** A connection without streams ends after this time. 0: never. */
  idleTimeoutMs: number;
  /** A stream on which nothing moves in either direction is reset after this time. 0: never. Tunnels are not. */
  streamIdleTimeoutMs: number;
  /** Bytes that the peer does not take are dropped after this time: on one stream its reset, on all the connection's end. */
  flushStallMs: number;
  /** A server's client that has not sent its preface and SETTINGS by then is disconnected. */
  prefaceTimeoutMs: number;
  /** A frame or a header block that has begun must be complete by then; DATA need not. */
  headerTimeoutMs: number;
  /** Between the two GOAWAYs of a drain, and between the end and the destruction of a connection, at most this. */
  closeTimeoutMs: number;
  /**
   * PING after this time without a received byte; 0: never. Not towards gRPC servers of strangers: they
   * count a PING more often than every 5 min as abuse (grpc A8).
   */
  keepaliveMs: number;
  /** A PING that is not answered by then ends the connection with `timeout`. */
  keepaliveTimeoutMs: number;
  /** Whether PINGs are sent while no stream is open. */
  keepaliveIdle: boolean;
}

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
export const UNTRUSTED_LIMITS: Readonly<Http2Limits> = {
  maxConcurrentStreams: 250,
  maxHeaderListBytes: 65_536,
  maxFieldCount: 100,
  maxHeaderBlockBytes: 262_144,
  maxDecodedBytes: 1_048_576,
  maxContinuations: 64,
  headerTableBytes: 4096,
  maxFrameBytes: 16_384,
  streamWindowBytes: 262_144,
  connectionWindowBytes: 16_777_216,
  intervalMs: 10_000,
  resets: 1000,
  emptyData: 1000,
  settings: 100,
  pings: 1000,
  priorities: 5000,
  windowUpdates: 10_000,
  maxOutstandingBytes: 1_048_576,
  maxInformational: 16,
  idleTimeoutMs: 3_600_000,
  streamIdleTimeoutMs: 300_000,
  flushStallMs: 60_000,
  prefaceTimeoutMs: 10_000,
  headerTimeoutMs: 10_000,
  closeTimeoutMs: 5000,
  keepaliveMs: 0,
  keepaliveTimeoutMs: 10_000,
  keepaliveIdle: false,
};

/**
 * For links between sidecars with mTLS: they carry everybody's cancels, so the counters allow a hundred times
 * as much; frames are larger; and a dead peer is noticed within 20 s.
 */
export const TRUSTED_LIMITS: Readonly<Http2Limits> = {
  ...UNTRUSTED_LIMITS,
  maxFrameBytes: 65_536,
  resets: 100_000,
  emptyData: 100_000,
  priorities: 100_000,
  windowUpdates: 1_000_000,
  keepaliveMs: 10_000,
  keepaliveIdle: true,
};

/** What a connection tells its owner besides its streams. Called in the middle of work: it must not call back. */
export interface Http2Observer {
  /** A limit was passed. */
  onLimit(name: Http2LimitName): void;
  /** The peer broke the protocol, or says that we did. @param code RFC 9113 §7, @param text one sentence for the log */
  onFault(code: number, text: string, scope: 'stream' | 'connection'): void;
  /** A PING was answered. */
  onRoundTrip(ms: number): void;
}
