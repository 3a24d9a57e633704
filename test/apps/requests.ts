/**
 * A client that sends exactly the requests that it is told to, and tells exactly what it got: names and values of fields
 * as they are on the wire.
 */
import { once } from 'node:events';
import { Agent, type ClientRequestArgs, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface RawRequest {
  /** Where the connection goes; what the Host field says is another matter. */
  readonly host: string;
  readonly port: number;
  /** `tls`: HTTP/1.1 over TLS with the application. */
  readonly protocol: 'http1' | 'http2' | 'grpc' | 'tls';
  /** Of the ClientHello; '': none. */
  readonly serverName?: string;
  /** Each request of HTTP/1.1 on a connection of its own. */
  readonly fresh?: boolean;
  readonly method: string;
  readonly path: string;
  /** `Host` and `:authority`. */
  readonly authority: string;
  /** Flat: name, value, name, value. */
  readonly fields: readonly string[];
  /** How many times; several at a time on few connections. */
  readonly count: number;
}

export interface RawAnswer {
  readonly status: number;
  /** Flat, trailers of HTTP/2 behind. */
  readonly fields: readonly string[];
  readonly body: string;
}

export interface RawOutcome {
  /** The first answer; null if there was none. */
  readonly answer: RawAnswer | null;
  /**
   * Answers by status and, where the application has answered, version, `200 v1`; failures by their text, `reset` for
   * connections that were refused or broken off.
   */
  readonly tally: Readonly<Record<string, number>>;
}

/** How a connection is made; a tunnel where nothing redirects. */
export type Open = (host: string, port: number) => Promise<Socket>;

const TIMEOUT_MS = 20_000;
const CONNECTIONS = 8;

/** Sends one request after the other, each `count` times. Never rejects. */
export async function send(requests: readonly RawRequest[], open: Open): Promise<RawOutcome[]> {
  const outcomes: RawOutcome[] = [];
  for (const request of requests)
    outcomes.push(
      await (request.protocol === 'http1' || request.protocol === 'tls'
        ? sendHttp1(request, open)
        : sendHttp2(request, open)),
    );
  return outcomes;
}

async function repeat(count: number, once: () => Promise<RawAnswer>): Promise<RawOutcome> {
  const tally: Record<string, number> = {};
  let answer: RawAnswer | null = null;
  let left = count;
  const add = (name: string): void => {
    tally[name] = (tally[name] ?? 0) + 1;
  };
  const go = async (): Promise<void> => {
    while (left-- > 0)
      try {
        const got = await once();
        answer ??= got;
        add(`${got.status} ${versionOf(got.body)}`.trimEnd());
      } catch (error) {
        add(nameOf(error));
      }
  };
  await Promise.all(Array.from({ length: Math.min(count, CONNECTIONS) }, go));
  return { answer, tally };
}

const RESETS: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE']);

/** The moment decides how a client learns of a reset. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return RESETS.has((error as NodeJS.ErrnoException).code) ? 'reset' : error.message;
}

const versionOf = (body: string): string => /"version":"([^"]*)"/.exec(body)?.[1] ?? '';

async function sendHttp1(request: RawRequest, open: Open): Promise<RawOutcome> {
  const agent = new Agent({ keepAlive: request.fresh !== true, maxSockets: CONNECTIONS });
  agent.createConnection = (_options, give) => {
    openFor(request, open).then(
      socket => give?.(null, socket),
      (error: Error) => give?.(error, undefined as never),
    );
    return undefined as never;
  };
  const outcome = await repeat(request.count, () => once1(request, agent));
  agent.destroy();
  return outcome;
}

async function openFor({ host, port, protocol, serverName = '' }: RawRequest, open: Open): Promise<Socket> {
  const socket = await open(host, port);
  if (protocol !== 'tls') return socket;
  const servername = serverName === '' ? {} : { servername: serverName };
  // Whom it reaches is said in the answer.
  const secured = connectTls({ socket, ...servername, rejectUnauthorized: false });
  await once(secured, 'secureConnect');
  return secured;
}

function once1(
  { host, port, method, path, authority, fields }: RawRequest,
  agent: Agent,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const headers = ['Host', authority, ...fields] as unknown as NonNullable<ClientRequestArgs['headers']>;
    const outgoing = httpRequest(
      { host, port, method, path, agent, headers, timeout: TIMEOUT_MS },
      response => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          body += part;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, fields: response.rawHeaders, body }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** All on one connection. */
async function sendHttp2(request: RawRequest, open: Open): Promise<RawOutcome> {
  let session: ClientHttp2Session;
  try {
    const socket = await open(request.host, request.port);
    session = connectHttp2(`http://${request.authority}`, { createConnection: () => socket });
    await once(session, 'connect');
  } catch (error) {
    return { answer: null, tally: { [String(error)]: request.count } };
  }
  session.on('error', () => undefined);
  const outcome = await repeat(request.count, () => once2(request, session));
  session.destroy();
  return outcome;
}

async function once2(
  { protocol, method, path, authority, fields }: RawRequest,
  session: ClientHttp2Session,
): Promise<RawAnswer> {
  const headers: OutgoingHttpHeaders = { ':method': method, ':path': path, ':authority': authority };
  if (protocol === 'grpc') Object.assign(headers, { 'content-type': 'application/grpc', te: 'trailers' });
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i].toLowerCase();
    const before = headers[name];
    headers[name] = before === undefined ? fields[i + 1] : ([before, fields[i + 1]].flat() as string[]);
  }
  const stream = session.request(headers);
  stream.setTimeout(TIMEOUT_MS, () => stream.destroy(new Error('timeout')));
  const trailing: string[] = [];
  stream.on('trailers', (_trailers, _flags, raw: string[]) => trailing.push(...raw));
  // An empty message.
  stream.end(protocol === 'grpc' ? Buffer.alloc(5) : undefined);
  const [answered, , raw] = (await once(stream, 'response')) as [Record<string, unknown>, number, string[]];
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  return {
    status: Number(answered[':status']),
    fields: [...raw, ...trailing],
    body: (protocol === 'grpc' ? body.subarray(5) : body).toString(),
  };
}

/** Where connections are redirected, there is nothing to it. */
export const openDirectly: Open = async (host, port) => {
  const socket = connect(port, host);
  await once(socket, 'connect');
  return socket;
};
