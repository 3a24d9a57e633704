/** What the codec does with a field of this name. 0 for the ordinary ones, which are passed on. */
export const CONTENT_LENGTH = 1;
export const TRANSFER_ENCODING = 2;
export const HOST_FIELD = 3;
export const CONNECTION = 4;
export const UPGRADE = 5;
export const TE = 6;
export const EXPECT = 7;
export const KEEP_ALIVE = 8;
/** Hop-by-hop and meaningless here: dropped. */
export const DROPPED = 9;
export const KIND_MASK = 0x0f;
/** Values repeat between requests and are no secrets: worth caching. */
export const REPEATING = 0x10;
/** Not allowed in trailers, where it is dropped (RFC 9110 §6.5.1: framing, routing, authentication, content format). */
export const NO_TRAILER = 0x20;
/** A Connection field that names it is refused: a hop that obeys would lose framing, routing or identity. */
export const END_TO_END = 0x40;

/** Refused in trailers: readers differ in whether it still has an effect there. */
export const TRAP = 0x80;

const NOT_HOP_BY_HOP = NO_TRAILER | END_TO_END;

/** Names with a meaning to the codec. Everything else has tag 0. */
export const FIELD_TAGS: ReadonlyMap<string, number> = new Map([
  ['content-length', CONTENT_LENGTH | NOT_HOP_BY_HOP | TRAP],
  ['transfer-encoding', TRANSFER_ENCODING | REPEATING | NOT_HOP_BY_HOP | TRAP],
  ['host', HOST_FIELD | REPEATING | NOT_HOP_BY_HOP],
  ['connection', CONNECTION | REPEATING | NO_TRAILER | TRAP],
  ['upgrade', UPGRADE | REPEATING | NO_TRAILER | TRAP],
  ['te', TE | REPEATING | NO_TRAILER],
  ['expect', EXPECT | REPEATING | NOT_HOP_BY_HOP],
  ['keep-alive', KEEP_ALIVE | REPEATING | NO_TRAILER],
  ['proxy-connection', DROPPED | NO_TRAILER | TRAP],
  ['http2-settings', DROPPED | NO_TRAILER],
  ['trailer', NO_TRAILER],
  ['authorization', NOT_HOP_BY_HOP],
  ['proxy-authorization', NO_TRAILER],
  ['proxy-authenticate', NO_TRAILER],
  ['www-authenticate', NOT_HOP_BY_HOP],
  ['cookie', NOT_HOP_BY_HOP],
  ['set-cookie', NOT_HOP_BY_HOP],
  ['forwarded', NOT_HOP_BY_HOP],
  ['x-forwarded-for', NOT_HOP_BY_HOP],
  ['x-forwarded-host', NOT_HOP_BY_HOP],
  ['x-forwarded-proto', REPEATING | NOT_HOP_BY_HOP],
  ['x-forwarded-client-cert', NOT_HOP_BY_HOP],
  ['content-type', REPEATING | NOT_HOP_BY_HOP],
  ['content-encoding', REPEATING | NOT_HOP_BY_HOP],
  ['content-range', NOT_HOP_BY_HOP],
  ['range', NOT_HOP_BY_HOP],
  ['cache-control', REPEATING | NOT_HOP_BY_HOP],
  ['max-forwards', NOT_HOP_BY_HOP],
  ['age', NO_TRAILER],
  ['date', REPEATING | NO_TRAILER],
  ['expires', NO_TRAILER],
  ['location', NO_TRAILER],
  ['retry-after', NO_TRAILER],
  ['vary', REPEATING | NO_TRAILER],
  ['accept', REPEATING],
  ['accept-charset', REPEATING],
  ['accept-encoding', REPEATING],
  ['accept-language', REPEATING],
  ['accept-ranges', REPEATING],
  ['pragma', REPEATING],
  ['server', REPEATING],
  ['user-agent', REPEATING],
  ['via', REPEATING],
  ['x-powered-by', REPEATING],
  ['sec-fetch-dest', REPEATING],
  ['sec-fetch-mode', REPEATING],
  ['sec-fetch-site', REPEATING],
]);
