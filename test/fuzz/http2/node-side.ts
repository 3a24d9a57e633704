/** What nghttp2 makes of a connection, through node:http2: the oracle of the differential fuzz. */
import { once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { RecordedRequest } from '../../../proxy/http1/testing/recording-handler.ts';
import { CLIENT_PREFACE } from '../../../proxy/http2/frame.ts';
import { frame } from '../../../proxy/http2/testing/wire.ts';

/** How a GOAWAY without text begins: the end, of which Node makes a pause if streams are open. */
const GOAWAY = frame(7, 0, 0, Buffer.alloc(8)).subarray(0, 9);
const SENTINEL = Buffer.alloc(8, 0xff);
/**
 * Its answer shows that everything before it has been seen. If the frames before it are out of step, one of so many
 * falls to where a frame begins, or is an error, which closes the connection.
 */
const LEAD_OUT = Buffer.concat(Array.from({ length: 1100 }, () => frame(6, 0, 0, SENTINEL)));

export interface NodeRequest {
  raw: string[];
  body: string;
  ended: boolean;
}

/** What nghttp2 makes of the same bytes. */
export class NodeSide {
  readonly #server: Http2Server = createServer();
  readonly #byPort = new Map<number, Map<number, NodeRequest>>();

  async start(): Promise<void> {
    this.#server.on('session', session => {
      this.#byPort.set(session.socket.remotePort ?? 0, new Map());
      session.on('error', () => {});
    });
    this.#server.on('sessionError', () => {});
    this.#server.on('stream', (stream, _headers, _flags, rawHeaders) => {
      const request: NodeRequest = { raw: rawHeaders as unknown as string[], body: '', ended: false };
      this.#byPort.get(stream.session?.socket.remotePort ?? 0)?.set(stream.id ?? 0, request);
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => {
        request.body += chunk.toString('latin1');
      });
      stream.on('end', () => {
        request.ended = true;
      });
    });
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** Requests by stream, and the code of nghttp2's GOAWAY, -1 without one. */
  async parse(bytes: Buffer): Promise<{ requests: Map<number, NodeRequest>; goaway: number }> {
    let goaway = -1;
    const socket = connect((this.#server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    const { localPort } = socket;
    socket.on('data', (chunk: Buffer) => {
      const at = chunk.indexOf(GOAWAY);
      if (at >= 0 && at + 17 <= chunk.length) goaway = chunk.readUInt32BE(at + 13);
      if (chunk.includes(SENTINEL) || at >= 0) socket.destroy();
    });
    socket.write(Buffer.concat([CLIENT_PREFACE, frame(4, 0, 0), bytes, LEAD_OUT]));
    await once(socket, 'close');
    const seen = this.#byPort.get(localPort ?? 0) ?? new Map<number, NodeRequest>();
    this.#byPort.delete(localPort ?? 0);
    return { requests: seen, goaway };
  }

  close(): void {
    this.#server.close();
  }
}

/** Node's raw fields in the form that the contract gives them. */
function contractForm(raw: string[]): string[] {
  const fields: string[] = [];
  let cookieAt = -1;
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i], raw[i + 1]];
    if (name.startsWith(':') || name === 'host' || name === 'content-length' || name === 'http2-settings')
      continue;
    if (name === 'cookie' && cookieAt >= 0) fields[cookieAt] += `; ${value}`;
    else if (name === 'cookie') cookieAt = fields.push(name, value) - 1;
    else fields.push(name, value);
  }
  return fields;
}

/** What is wrong with our reading of a request, beside nghttp2's; '' if nothing is. */
export function differs(ours: RecordedRequest, theirs: NodeRequest | undefined): string {
  if (theirs === undefined) return 'nghttp2 does not accept it';
  const { head } = ours;
  const pseudo = (name: string): string => theirs.raw[theirs.raw.indexOf(name) + 1];
  if (pseudo(':method') !== head.method) return ':method';
  if (head.path !== '' && pseudo(':path') !== head.path) return ':path';
  if (!isDeepStrictEqual(contractForm(theirs.raw), head.fields))
    return `fields ${JSON.stringify(contractForm(theirs.raw))}`;
  if (ours.ended && theirs.ended && ours.body !== theirs.body) return `body ${JSON.stringify(theirs.body)}`;
  return '';
}
