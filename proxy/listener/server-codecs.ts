import type { RequestHandler } from '../exchange/stream.ts';
import type { Http1Codec } from '../http1/http1-codec.ts';
import { Http1ServerConnection } from '../http1/server-connection.ts';
import type { Http2Limits, Http2Observer } from '../http2/limits.ts';
import { Http2ServerConnection } from '../http2/server-connection.ts';
import type { Http2Workspace } from '../http2/workspace.ts';
import type { Transport } from '../transport/transport.ts';
import type { Stage } from './downstream-connection.ts';

/** The server sides of the codecs, with what they share. */
export interface ServerCodecs {
  readonly http1: Http1Codec;
  /** HTTP/2 limits of strangers, and of sidecars. */
  readonly limits: { readonly http2: Http2Limits; readonly mesh: Http2Limits };
  readonly workspace: Http2Workspace;
  readonly observer: Http2Observer;
  /** Monotonic ms. */
  readonly clock: () => number;
}

/** `trusted`: the peer is a sidecar, whose one connection carries the requests of many. */
export interface ServeOptions {
  readonly version: 'http1' | 'http2';
  readonly scheme: 'http' | 'https';
  readonly trusted: boolean;
  readonly context: unknown;
}

/** Puts a server codec on a connection. */
export function serveHttp(
  codecs: ServerCodecs,
  transport: Transport,
  handler: RequestHandler,
  { version, scheme, trusted, context }: ServeOptions,
): Stage {
  if (version === 'http1')
    return new Http1ServerConnection(codecs.http1, transport, handler, scheme, context);
  return new Http2ServerConnection({
    transport,
    workspace: codecs.workspace,
    limits: trusted ? codecs.limits.mesh : codecs.limits.http2,
    observer: codecs.observer,
    clock: codecs.clock,
    handler,
    context,
    scheme,
  });
}
