/** Limits of one HTTP/1.1 connection. Each name is also the label under which `onLimit` counts it. */
export interface Http1Limits {
  /** Bytes of a head, from the first byte of the start line to the empty line. Over it: 431. */
  readonly maxHeadBytes: number;
  /** Field lines of a head or of a trailer section. Over it: 431. */
  readonly maxFieldCount: number;
  /** Bytes of a start line. Over it: 414. */
  readonly maxStartLineBytes: number;
  /** Bytes of a trailer section. Over it: 431. */
  readonly maxTrailerBytes: number;
  /** Bytes of chunk extensions in one message. They are never forwarded. Over it: 413. */
  readonly maxChunkExtensionBytes: number;
  /** Digits of a Content-Length are bounded by this value in bytes. Over it: 413. */
  readonly maxContentLength: number;
  /** Informational responses to one request that an upstream may send. */
  readonly maxInformational: number;
  /** Bytes that a client may send ahead of its turn: pipelined requests, or tunnel bytes before the tunnel is there. */
  readonly maxBufferedBytes: number;
  /** Request body bytes that are read and thrown away to keep a connection whose response came early. */
  readonly maxDiscardBytes: number;
  /** Milliseconds from the first byte of a head to its last. Over it: 408. */
  readonly headTimeoutMs: number;
  /** Milliseconds without a request. */
  readonly idleTimeoutMs: number;
  /** Milliseconds without a byte of a request body, or without the peer taking a byte of what is sent to it. */
  readonly bodyIdleTimeoutMs: number;
  /**
   * Milliseconds that a request without any response yet outlives the FIN of its client. Most clients that send FIN
   * have given up and their request should be cancelled; a few only close their side and wait, and the two look alike.
   */
  readonly halfCloseTimeoutMs: number;
  /** Milliseconds to wait for the peer's FIN after ours. */
  readonly lingerTimeoutMs: number;
  /** Milliseconds that a draining idle connection waits for a request already on its way (RFC 9112 §9.3.1). */
  readonly drainIdleTimeoutMs: number;
}

export const DEFAULT_HTTP1_LIMITS: Http1Limits = {
  maxHeadBytes: 65_536,
  maxFieldCount: 100,
  maxStartLineBytes: 16_384,
  maxTrailerBytes: 16_384,
  maxChunkExtensionBytes: 16_384,
  maxContentLength: Number.MAX_SAFE_INTEGER,
  maxInformational: 16,
  maxBufferedBytes: 262_144,
  maxDiscardBytes: 262_144,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 3_600_000,
  bodyIdleTimeoutMs: 60_000,
  halfCloseTimeoutMs: 2_000,
  lingerTimeoutMs: 5_000,
  drainIdleTimeoutMs: 2_000,
};
