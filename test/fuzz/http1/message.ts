/** A request or response as a parser understood it, in the terms in which two parsers are compared. */
export interface Message {
  /** Method, authority and path of a request; the status of a response. */
  readonly start: string;
  /** End-to-end fields, flat, names in lower case. */
  readonly fields: string[];
  body: string;
  trailers: string[];
  ended: boolean;
  /** It asks for an upgrade or a tunnel: what follows is not compared. */
  readonly asksUpgrade: boolean;
}

/** What a parser made of the bytes of one connection. */
export interface Parsed {
  readonly messages: Message[];
  /** Why it refused the bytes, '' if it did not. */
  error: string;
}

const HOP_BY_HOP = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

const NOT_IN_TRAILERS =
  /^(authorization|proxy-.*|www-authenticate|cookie|set-cookie|forwarded|x-forwarded-.*|content-(type|encoding|range)|range|cache-control|max-forwards|age|date|expires|location|retry-after|vary|trailer)$/;

/** Fields without those of the connection, which the codec consumes. */
export function endToEnd(raw: readonly string[]): string[] {
  const dropped = new Set(HOP_BY_HOP);
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i].toLowerCase() !== 'connection') continue;
    for (const option of raw[i + 1].split(',')) dropped.add(option.trim().toLowerCase());
  }
  return filter(raw, name => !dropped.has(name));
}

/** Trailers that may be forwarded. */
export function forwardedTrailers(raw: readonly string[]): string[] {
  return filter(raw, name => !HOP_BY_HOP.has(name) && !NOT_IN_TRAILERS.test(name));
}

function filter(raw: readonly string[], keep: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase();
    if (keep(name)) kept.push(name, raw[i + 1]);
  }
  return kept;
}
