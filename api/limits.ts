/**
 * Every bound that a sidecar keeps on what others send it: name, default, what passing it does. A name is the same in the
 * setting `TULLE_LIMITS`, in the annotation `tulle.dev/limits` and in the label `limit` of
 * `tulle_limits_exceeded_total`. docs/reference/limits.md is made from this table.
 *
 * Names that end in `Bytes` are octets, in `Ms` milliseconds; the others are counts.
 */
import type { Parsed } from './annotation-values.ts';

export type LimitScope = 'connections' | 'requests' | 'http1' | 'http2';

export interface Limit {
  /** Where it holds: listeners and connections of any protocol, requests of both, HTTP/1.1, HTTP/2. */
  readonly of: readonly LimitScope[];
  readonly default: number;
  /**
   * Of connections between sidecars, which carry the requests of many and have proved who they are; absent where it is
   * the same. Set by `mesh.NAME`.
   */
  readonly mesh?: number;
  readonly min: number;
  readonly max: number;
  /** What is bounded. */
  readonly description: string;
  /** What passing it does to who passes it. */
  readonly outcome: string;
  /** It is no bound that can be passed, so nothing is counted under its name. */
  readonly uncounted?: true;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const MIB = 1_048_576;
const MAX_31 = 2_147_483_647;

/** Timeouts, where 0 is not "never". */
const time = { min: 10, max: DAY_MS } as const;
/** Timeouts that 0 switches off. */
const optionalTime = { min: 0, max: DAY_MS } as const;
const count = { min: 1, max: 1_000_000_000 } as const;

const CALM = 'connection: GOAWAY ENHANCE_YOUR_CALM';

export const limits = {
  maxConnections: {
    of: ['connections'],
    default: 10_000,
    ...count,
    description:
      'connections at once that reach the pod, and as many that leave it; each direction has its own count',
    outcome: 'the connection is closed when it is accepted; those that are open go on',
  },
  maxAdminConnections: {
    of: ['connections'],
    default: 100,
    ...count,
    description: 'connections at once to the admin port',
    outcome: 'the connection is closed when it is accepted',
  },
  handshakeTimeoutMs: {
    of: ['connections'],
    default: 10_000,
    ...time,
    description:
      'from the end of the ClientHello to the end of the TLS handshake; on a port that demands mTLS also until the ClientHello is there',
    outcome: 'the connection is reset',
  },
  tcpIdleTimeoutMs: {
    of: ['connections'],
    // Pools of database connections are silent for hours; whether the peer is there the kernel asks (keepaliveTcpMs).
    default: DAY_MS,
    ...time,
    description: 'without a byte in either direction of a connection that is carried as bytes',
    outcome: 'both connections are reset',
  },
  keepaliveTcpMs: {
    of: ['connections'],
    default: 10_000,
    min: 1000,
    max: DAY_MS,
    description: 'without a byte received until the kernel asks whether the peer is there, ten times at most',
    outcome: 'a peer that does not answer is dead: the connection is reset',
    uncounted: true,
  },
  silenceTimeoutMs: {
    of: ['connections'],
    default: 20_000,
    ...time,
    description:
      'without a TCP acknowledgement of the peer for what was sent to it; a peer that acknowledges and does not read is left alone',
    outcome: 'the peer is dead: the connection is reset; 503 CONNECTION_LOST',
  },

  replayBytes: {
    of: ['requests'],
    default: 65_536,
    min: 0,
    max: 16 * MIB,
    description:
      'of a request body that are kept, for another attempt and for mirrors, when an endpoint has got them',
    outcome: 'the request is neither tried again nor mirrored: tulle_retries_denied_total, reason body',
    uncounted: true,
  },

  maxHeadBytes: {
    of: ['http1'],
    default: 65_536,
    min: 1024,
    max: MIB,
    description: 'a head, from the first byte of the start line to the empty line',
    outcome: 'request: 431 and close. Answer: 502 UPSTREAM_LIMIT',
  },
  maxFieldCount: {
    of: ['http1', 'http2'],
    default: 100,
    mesh: 200,
    min: 10,
    max: 10_000,
    description: 'field lines of a head or of a trailer section; in HTTP/2 with the pseudo-header fields',
    outcome: 'request: 431, and close in HTTP/1.1. Answer: 502 UPSTREAM_LIMIT. HTTP/2 trailers: RST_STREAM',
  },
  maxStartLineBytes: {
    of: ['http1'],
    default: 16_384,
    min: 256,
    max: MIB,
    description: 'a request line or status line',
    outcome: 'request: 414 and close. Answer: 502 UPSTREAM_LIMIT',
  },
  maxTrailerBytes: {
    of: ['http1'],
    default: 16_384,
    min: 256,
    max: MIB,
    description: 'a trailer section',
    outcome: 'request: 431 and close. Answer: cut off',
  },
  maxChunkExtensionBytes: {
    of: ['http1'],
    default: 16_384,
    min: 0,
    max: MIB,
    description: 'all chunk extensions of one message, which are never forwarded',
    outcome: 'request: 413 and close. Answer: cut off',
  },
  maxContentLength: {
    of: ['http1'],
    default: Number.MAX_SAFE_INTEGER,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    description: 'the value of a Content-Length',
    outcome: 'request: 413 and close. Answer: 502 UPSTREAM_LIMIT',
  },
  maxInformational: {
    of: ['http1', 'http2'],
    default: 16,
    min: 0,
    max: 1000,
    description: 'informational (1xx) answers to one request',
    outcome: '502 UPSTREAM_LIMIT; in HTTP/1.1 the connection to the application is closed',
  },
  maxBufferedBytes: {
    of: ['http1'],
    default: 262_144,
    min: 4096,
    max: 64 * MIB,
    description: 'what a client sends ahead of its turn: pipelined requests, tunnel bytes before the tunnel',
    outcome: 'the client is not read while they fill up; what it sent beyond that closes the connection',
  },
  maxDiscardBytes: {
    of: ['http1'],
    default: 262_144,
    min: 0,
    max: MAX_31,
    description: 'the rest of a request body that is read and dropped after an early answer',
    outcome: 'the connection is closed after the answer',
  },
  headTimeoutMs: {
    of: ['http1'],
    default: 10_000,
    ...time,
    description: 'from the first byte of a head to its last',
    outcome: 'request: 408 and close. Answer: 504 IDLE_TIMEOUT',
  },
  answerTimeoutMs: {
    of: ['http1'],
    default: 300_000,
    ...time,
    description: 'from the last byte of a request to the first byte of its answer, whatever the route allows',
    outcome: '504 IDLE_TIMEOUT',
  },
  bodyIdleTimeoutMs: {
    of: ['http1'],
    default: 60_000,
    ...time,
    description: 'without a byte of a request body, or without the peer taking a byte of what is sent to it',
    outcome: 'request: 408 and close. A peer that does not read: the connection is reset',
  },
  halfCloseTimeoutMs: {
    of: ['http1'],
    default: 2000,
    ...time,
    description:
      'that a request without an answer outlives the FIN of its client. Most clients that send FIN have given up; a few only close their side and wait, and the two look alike',
    outcome: 'the request is cancelled and the connection closed',
  },
  lingerTimeoutMs: {
    of: ['http1'],
    default: 5000,
    ...time,
    description: 'that the peer’s FIN is waited for after ours (RFC 9112 §9.6)',
    outcome: 'the connection is closed',
    uncounted: true,
  },
  drainIdleTimeoutMs: {
    of: ['http1'],
    default: 2000,
    ...time,
    description: 'that a draining idle connection waits for a request already on its way (RFC 9112 §9.3.1)',
    outcome: 'the connection is closed',
    uncounted: true,
  },
  idleTimeoutMs: {
    of: ['http1', 'http2'],
    default: HOUR_MS,
    ...time,
    description: 'a connection without a request',
    outcome: 'the connection is closed; in HTTP/2 with GOAWAY NO_ERROR',
  },

  maxConcurrentStreams: {
    of: ['http2'],
    default: 250,
    min: 1,
    max: MAX_31,
    description: 'streams that the peer has open at once; advertised',
    outcome: 'RST_STREAM REFUSED_STREAM, counted in resets too',
  },
  maxHeaderListBytes: {
    of: ['http2'],
    default: 65_536,
    // What HTTP/1.1 lets in must pass here: other names and 32 octets a field more.
    mesh: 131_072,
    min: 1024,
    max: 16 * MIB,
    description:
      'a decoded header list, 32 added for each field and every cookie crumb counted; advertised (RFC 9113 §6.5.2)',
    outcome: 'request: 431. Answer: 502 UPSTREAM_LIMIT. Trailers: RST_STREAM. The connection goes on',
  },
  maxHeaderBlockBytes: {
    of: ['http2'],
    default: 262_144,
    min: 16_384,
    max: 16 * MIB,
    description: 'an encoded header block, HEADERS and CONTINUATION together',
    outcome: CALM,
  },
  maxDecodedBytes: {
    of: ['http2'],
    default: MIB,
    min: 16_384,
    max: 64 * MIB,
    description: 'a decoded header list, counted as above, that is taken for an HPACK bomb',
    outcome: CALM,
  },
  maxContinuations: {
    of: ['http2'],
    default: 64,
    min: 0,
    max: 10_000,
    description: 'CONTINUATION frames in one header block',
    outcome: CALM,
  },
  headerTableBytes: {
    of: ['http2'],
    default: 4096,
    min: 4096,
    max: 65_536,
    description: 'SETTINGS_HEADER_TABLE_SIZE: advertised, and the bound of our own encoder’s table',
    outcome: 'connection: GOAWAY COMPRESSION_ERROR',
    uncounted: true,
  },
  maxFrameBytes: {
    of: ['http2'],
    default: 16_384,
    mesh: 65_536,
    min: 16_384,
    max: 16_777_215,
    description:
      'SETTINGS_MAX_FRAME_SIZE: advertised. DATA is passed on while it arrives and never held for it',
    outcome: 'connection: GOAWAY FRAME_SIZE_ERROR',
    uncounted: true,
  },
  streamWindowBytes: {
    of: ['http2'],
    default: 65_536,
    min: 65_535,
    max: MAX_31,
    description:
      'body octets that one stream has under way, whatever the others do: SETTINGS_INITIAL_WINDOW_SIZE',
    outcome: 'RST_STREAM FLOW_CONTROL_ERROR',
    uncounted: true,
  },
  maxStreamWindowBytes: {
    of: ['http2'],
    default: 262_144,
    min: 65_535,
    max: MAX_31,
    description:
      'body octets to which that grows while they are passed on and connectionWindowBytes has room for it',
    outcome: 'RST_STREAM FLOW_CONTROL_ERROR',
    uncounted: true,
  },
  connectionWindowBytes: {
    of: ['http2'],
    default: 24 * MIB,
    min: 65_535,
    max: MAX_31,
    description:
      'body octets that all streams of a connection have under way. Below streamWindowBytes for each of maxConcurrentStreams and 1 MiB, streams that stand still can hold up the others',
    outcome: 'connection: GOAWAY FLOW_CONTROL_ERROR',
    uncounted: true,
  },
  intervalMs: {
    of: ['http2'],
    default: 10_000,
    ...time,
    description: 'the interval over which the next six are counted',
    outcome: 'the counts begin anew',
    uncounted: true,
  },
  resets: {
    of: ['http2'],
    default: 1000,
    mesh: 100_000,
    ...count,
    description:
      'streams that end by RST_STREAM, the peer’s, or ours for its mistakes (CVE-2023-44487, CVE-2025-8671)',
    outcome: CALM,
  },
  emptyData: {
    of: ['http2'],
    default: 1000,
    mesh: 100_000,
    ...count,
    description: 'DATA frames without data that do not end a stream',
    outcome: CALM,
  },
  settings: {
    of: ['http2'],
    default: 100,
    ...count,
    description: 'SETTINGS frames',
    outcome: CALM,
  },
  pings: { of: ['http2'], default: 1000, ...count, description: 'PING frames', outcome: CALM },
  priorities: {
    of: ['http2'],
    default: 5000,
    mesh: 100_000,
    ...count,
    description: 'PRIORITY, PRIORITY_UPDATE and frames of unknown type',
    outcome: CALM,
  },
  windowUpdates: {
    of: ['http2'],
    default: 10_000,
    mesh: 1_000_000,
    ...count,
    description: 'WINDOW_UPDATE frames, besides ten for each DATA frame sent',
    outcome: CALM,
  },
  maxOwnResets: {
    of: ['http2'],
    default: 400,
    mesh: 40_000,
    ...count,
    description:
      'streams that we reset on a connection to a server. It carries the cancels of everybody, and servers end one that brings too many (Node: 1,000 at once)',
    outcome: 'new requests go to another connection; this one ends with its last stream',
    uncounted: true,
  },
  maxOutstandingBytes: {
    of: ['http2'],
    default: MIB,
    min: 16_384,
    max: 64 * MIB,
    description: 'octets that wait in the output when an answer without flow control is due',
    outcome: 'the peer asks and does not read: the connection is reset',
  },
  streamIdleTimeoutMs: {
    of: ['http2'],
    default: 300_000,
    ...optionalTime,
    description:
      'a stream without an answer on which nothing moves, towards an endpoint, or of a client whose request is not complete. An answer that has begun may be quiet for as long as both connections live (gRPC watches, server-sent events, WebSocket): keepaliveTcpMs and keepaliveMs find dead peers. 0: never',
    outcome: 'request: RST_STREAM. Answer: 504 IDLE_TIMEOUT',
  },
  flushStallMs: {
    of: ['http2'],
    default: 60_000,
    ...time,
    description:
      'that the peer takes nothing of what waits for it: its window is shut, or its socket is full',
    outcome: 'RST_STREAM; where the socket is full, the connection is reset',
  },
  prefaceTimeoutMs: {
    of: ['http2'],
    default: 10_000,
    ...time,
    description: 'until a client’s preface and SETTINGS are there',
    outcome: 'the connection is reset',
  },
  headerTimeoutMs: {
    of: ['http2'],
    default: 10_000,
    ...time,
    description: 'from the first byte of a frame (but DATA) or header block to its last',
    outcome: 'the connection is reset',
  },
  closeTimeoutMs: {
    of: ['http2'],
    default: 5000,
    ...time,
    description: 'between the two GOAWAYs of a drain, and from the end of a connection to its destruction',
    outcome: 'the drain, or the end, goes on',
    uncounted: true,
  },
  drainGraceMs: {
    of: ['http2'],
    default: 1000,
    mesh: 0,
    ...optionalTime,
    description:
      'in a drain, from the answer to our PING to the second GOAWAY: a client’s HTTP/2 library answers before those who open streams with it have heard of the first',
    outcome: 'later streams are refused, and may be repeated',
    uncounted: true,
  },
  keepaliveMs: {
    of: ['http2'],
    default: 0,
    mesh: 10_000,
    ...optionalTime,
    description:
      'without a byte received until we send PING while streams are open. 0: never. Servers of strangers may count it as abuse (grpc A8)',
    outcome: 'PING',
    uncounted: true,
  },
  keepaliveIdleMs: {
    of: ['http2'],
    default: 0,
    mesh: 10_000,
    ...optionalTime,
    description: 'the same while no stream is open',
    outcome: 'PING',
    uncounted: true,
  },
  keepaliveTimeoutMs: {
    of: ['http2'],
    default: 10_000,
    ...time,
    description: 'that a PING waits for its answer',
    outcome: 'the peer is dead: the connection is reset',
  },
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof limits;

type NameOf<S extends LimitScope> = {
  [K in LimitName]: S extends (typeof limits)[K]['of'][number] ? K : never;
}[LimitName];

/** The limits of one scope as a connection reads them. What each means is in {@link limits}. */
export type LimitValues<S extends LimitScope> = { readonly [K in NameOf<S>]: number };

/** What a user sets: by name, and by `mesh.NAME` for connections between sidecars. */
export type LimitOverrides = ReadonlyMap<string, number>;

const NO_OVERRIDES: LimitOverrides = new Map();

/**
 * The limits of one scope. On a `mesh` link a limit has the value of `mesh.NAME`, else its mesh default, else what it is
 * everywhere.
 */
export function limitValues<S extends LimitScope>(
  scope: S,
  link: 'any' | 'mesh' = 'any',
  overrides: LimitOverrides = NO_OVERRIDES,
): LimitValues<S> {
  const values: Record<string, number> = {};
  for (const [name, limit] of Object.entries(limits) as [string, Limit][]) {
    if (!limit.of.includes(scope)) continue;
    const everywhere = overrides.get(name) ?? limit.default;
    values[name] = link === 'any' ? everywhere : (overrides.get(`mesh.${name}`) ?? limit.mesh ?? everywhere);
  }
  return values as LimitValues<S>;
}

const MESH = 'mesh.';

/** Reads `NAME=NUMBER,mesh.NAME=NUMBER`; the empty string sets nothing. */
export function parseLimits(raw: string): Parsed<LimitOverrides> {
  const overrides = new Map<string, number>();
  for (const item of raw.split(',')) {
    if (item.trim() === '') continue;
    const [key = '', text = '', ...rest] = item.split('=').map(part => part.trim());
    const mesh = key.startsWith(MESH);
    const name = mesh ? key.slice(MESH.length) : key;
    const limit: Limit | undefined = Object.hasOwn(limits, name) ? limits[name as LimitName] : undefined;
    if (limit === undefined || rest.length > 0 || (mesh && !limit.of.includes('http2'))) {
      return {
        remedy: `NAME=NUMBER or, for HTTP/2 between sidecars, mesh.NAME=NUMBER, separated by commas, with the names in docs/reference/limits.md; ${JSON.stringify(item.trim())} is neither`,
      };
    }
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= limit.min && value <= limit.max)) {
      return { remedy: `an integer from ${limit.min} to ${limit.max} for ${key}` };
    }
    overrides.set(key, value);
  }
  return { value: overrides };
}
