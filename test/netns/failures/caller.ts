/** An application that calls: by HTTP/1.1, HTTP/2, gRPC (the client of @grpc/grpc-js) and as bytes. */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { serve } from './process.ts';

export type CallKind = 'http1' | 'http2' | 'grpc' | 'tcp';

export interface CallRequest {
  readonly kind: CallKind;
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** Body of a request; what is sent first on a connection of bytes. */
  readonly body: string;
  /** Bytes that the answer is to begin with. */
  readonly answerBytes: number;
  /** The caller gives up after this time; 0: it waits. */
  readonly patienceMs: number;
  /** On a connection of bytes it goes on to talk, so often; 0: it ends after the first answer. */
  readonly everyMs: number;
}

/** What the caller got: only what its protocol has. */
export interface Reply {
  readonly status?: number;
  readonly grpcStatus?: number;
  readonly grpcMessage?: string;
  /** `tulle-error`. */
  readonly failure?: string;
  readonly body?: string;
  readonly bodyBytes?: number;
  /** The call broke off: the error's code. */
  readonly error?: string;
}

const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message;
const path = '/';

function http1(call: CallRequest): Promise<Reply> {
  return new Promise(resolve => {
    const { host, port, method, body, answerBytes, patienceMs } = call;
    const headers = {
      ...(body === '' ? {} : { 'content-length': body.length }),
      'x-answer-bytes': answerBytes,
    };
    const sent = request({ host, port, method, path, headers, agent: false }, received => {
      const chunks: Buffer[] = [];
      received.on('data', (chunk: Buffer) => chunks.push(chunk));
      received.on('error', error => resolve({ error: codeOf(error) }));
      received.on('end', () => {
        const failure = received.headers['tulle-error'];
        resolve({
          status: received.statusCode ?? 0,
          ...(typeof failure === 'string' ? { failure } : {}),
          ...bodyOf(chunks),
        });
      });
    });
    sent.on('error', error => resolve({ error: codeOf(error) }));
    if (patienceMs > 0) setTimeout(() => sent.destroy(), patienceMs);
    sent.end(body);
  });
}

function bodyOf(chunks: readonly Buffer[]): { body: string; bodyBytes: number } {
  const all = Buffer.concat(chunks);
  // Of a long answer the digest of the request at its end is what counts; the rest is all x.
  const padding = all.length > 64 ? all.subarray(0, -64) : Buffer.alloc(0);
  const intact = padding.every(byte => byte === 120);
  return { body: intact ? all.subarray(padding.length).toString() : 'broken', bodyBytes: all.length };
}

function http2({ host, port, method, body, answerBytes, patienceMs }: CallRequest): Promise<Reply> {
  return new Promise(resolve => {
    const session = connectHttp2(`http://${host}:${port}`);
    const settle = (reply: Reply): void => {
      resolve(reply);
      session.destroy();
    };
    session.on('error', error => settle({ error: codeOf(error) }));
    const stream = session.request(
      { ':method': method, ':path': path, 'x-answer-bytes': String(answerBytes) },
      { endStream: body === '' },
    );
    let status = 0;
    let failure: string | undefined;
    const chunks: Buffer[] = [];
    stream.on('response', headers => {
      status = headers[':status'] ?? 0;
      failure = headers['tulle-error'] as string | undefined;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', error => settle({ error: codeOf(error) }));
    stream.on('close', () => settle({ error: `closed with ${stream.rstCode}` }));
    stream.on('end', () => {
      if (stream.rstCode !== 0) return;
      settle({ status, ...(failure === undefined ? {} : { failure }), ...bodyOf(chunks) });
    });
    if (patienceMs > 0) setTimeout(() => stream.close(8), patienceMs);
    if (body !== '') stream.end(body);
  });
}

function grpc({ host, port, body, patienceMs }: CallRequest): Promise<Reply> {
  return new Promise(resolve => {
    const client = new Client(`${host}:${port}`, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
    const same = (bytes: Buffer): Buffer => bytes;
    const call = client.makeUnaryRequest(
      '/test.Test/Call',
      same,
      same,
      Buffer.from(body),
      new Metadata(),
      (error, answer) => {
        client.close();
        if (error === null) return resolve({ grpcStatus: 0, body: answer?.toString() ?? '' });
        const failure = error.metadata?.get('tulle-error')[0];
        resolve({
          grpcStatus: error.code,
          grpcMessage: error.details,
          ...(failure === undefined ? {} : { failure: String(failure) }),
        });
      },
    );
    if (patienceMs > 0) setTimeout(() => call.cancel(), patienceMs);
  });
}

function tcp({ host, port, body, patienceMs, everyMs }: CallRequest): Promise<Reply> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= body.length && everyMs === 0) socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ error: codeOf(error), body: Buffer.concat(chunks).toString() }),
    );
    socket.on('close', () => {
      const all = Buffer.concat(chunks);
      const digest = createHash('sha256').update(all).digest('hex');
      resolve({ body: all.length > 64 ? digest : all.toString(), bodyBytes: all.length });
    });
    if (patienceMs > 0) setTimeout(() => socket.resetAndDestroy(), patienceMs);
    if (everyMs > 0) {
      const talk = setInterval(() => socket.write(body), everyMs);
      socket.on('close', () => clearInterval(talk));
    }
    socket.write(body);
  });
}

const calls = { http1, http2, grpc, tcp };

/** A call without an answer, whatever is wrong, must not hold up the rest. */
const LIMIT_MS = 30_000;

serve<CallRequest>(call => {
  const limit = new Promise<Reply>(resolve => {
    setTimeout(() => resolve({ error: `no answer in ${LIMIT_MS} ms` }), LIMIT_MS).unref();
  });
  return Promise.race([calls[call.kind](call), limit]);
});
