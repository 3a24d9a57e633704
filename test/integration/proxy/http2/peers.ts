/** Node's own HTTP/2 as application and as client. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import { listen, onEnd } from '../apps.ts';

export interface Http2App {
  readonly port: number;
  readonly sessions: Set<ServerHttp2Session>;
}

/** An application of HTTP/2 alone, until the end of the test. */
export async function http2App(
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  options: ServerOptions = {},
): Promise<Http2App> {
  const server = createServer(options);
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', session => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream as ServerHttp2Stream, headers);
  });
  onEnd(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return { port: await listen(server as never), sessions };
}

/** A client's session, until the end of the test. Resolves when the SETTINGS of the other side are there. */
export async function http2Session(
  port: number,
  options: Parameters<typeof connect>[1] = {},
): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, options);
  session.on('error', () => {});
  onEnd(() => session.destroy());
  await new Promise(resolve => session.once('remoteSettings', resolve));
  return session;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Code of the RST_STREAM that ended it, 0 without one. */
  readonly code: number;
}

/** What comes back on a stream until it is closed. */
export function http2Answer(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise(resolve => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', fields => (headers = fields));
    stream.on('trailers', fields => (trailers = fields));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      const status = Number(headers[':status'] ?? 0);
      resolve({ status, headers, trailers, body: Buffer.concat(chunks), code: stream.rstCode ?? 0 });
    });
  });
}
