/**
 * The client of cluster tests: makes calls as it is told and prints what came of them, as JSON. It knows nothing of the
 * mesh. Run inside a pod: `main.js call '{"kind":"http","url":"http://server/","count":10}'`. Prints a line to
 * standard error when it has the first answer.
 */

import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { echoMethod } from './grpc-services.ts';
import { type Outcome, OutcomeRecorder } from './outcome.ts';

/** `rate` per second for `seconds`, or `count` by `concurrency` at a time. */
interface Pace {
  count?: number;
  concurrency?: number;
  rate?: number;
  seconds?: number;
}

/** HTTP/1.1 with kept connections. */
export interface HttpCall extends Pace {
  kind: 'http';
  url: string;
  method?: string;
  headers?: Record<string, string>;
}

export interface GrpcCall extends Pace {
  kind: 'grpc';
  target: string;
}

export type Call =
  | HttpCall
  | { kind: 'http2'; url: string; count?: number }
  | GrpcCall
  | { kind: 'websocket'; url: string; messages: string[] }
  /** Reads until `banner`, then sends `text` and its end, and reads it back. */
  | { kind: 'tcp'; host: string; port: number; banner: string; text: string };

const TIMEOUT_MS = 20_000;

function httpOnce(call: HttpCall, agent: Agent, recorder: OutcomeRecorder): Promise<void> {
  return new Promise(resolve => {
    const end = (status: string, text?: string, error?: string): void => {
      recorder.add(status, text, error);
      resolve();
    };
    const outgoing = httpRequest(
      call.url,
      { agent, method: call.method ?? 'GET', headers: call.headers ?? {}, timeout: TIMEOUT_MS },
      response => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        const error = String(response.headers['tulle-error'] ?? '');
        response.on('end', () => end(String(response.statusCode), text, error));
        response.on('error', cause => end(cause.message));
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', error => end(error.message));
    outgoing.end();
  });
}

/** Calls in time, however long the answers take. */
async function callAtRate(rate: number, seconds: number, once: (i: number) => Promise<void>): Promise<void> {
  const pending: Promise<void>[] = [];
  const total = rate * seconds;
  const started = performance.now();
  while (pending.length < total) {
    const due = Math.min(total, ((performance.now() - started) * rate) / 1000);
    while (pending.length < due) pending.push(once(pending.length));
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  await Promise.all(pending);
}

async function callRepeatedly(
  { rate, seconds = 1, count = 1, concurrency = 1 }: Pace,
  once: (i: number) => Promise<void>,
): Promise<void> {
  if (rate !== undefined) return callAtRate(rate, seconds, once);
  let next = 0;
  const callOn = async (): Promise<void> => {
    while (next < count) await once(next++);
  };
  await Promise.all(Array.from({ length: concurrency }, callOn));
}

async function callHttp(call: HttpCall, recorder: OutcomeRecorder): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  await callRepeatedly(call, () => httpOnce(call, agent, recorder));
  agent.destroy();
}

async function callHttp2(call: Extract<Call, { kind: 'http2' }>, recorder: OutcomeRecorder): Promise<void> {
  const url = new URL(call.url);
  const session = connectHttp2(url.origin);
  for (let i = 0; i < (call.count ?? 1); i++) {
    const stream = session.request({ ':path': url.pathname + url.search });
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    let text = '';
    for await (const part of stream) text += String(part);
    recorder.add(String(headers[':status']), text, headers['tulle-error']);
  }
  session.close();
}

function grpcOnce(client: Client, i: number, recorder: OutcomeRecorder): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = echoMethod;
  const deadline = Date.now() + TIMEOUT_MS;
  return new Promise(resolve => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { i },
      { deadline },
      (error, value) => {
        if (error === null) recorder.add('OK', JSON.stringify(value));
        else recorder.add(`${error.code}: ${error.details}`);
        resolve();
      },
    );
  });
}

async function callGrpc(call: GrpcCall, recorder: OutcomeRecorder): Promise<void> {
  const client = new Client(call.target, credentials.createInsecure());
  await callRepeatedly(call, i => grpcOnce(client, i, recorder));
  client.close();
}

async function callWebSocket(
  call: Extract<Call, { kind: 'websocket' }>,
  recorder: OutcomeRecorder,
): Promise<void> {
  const socket = new WebSocket(call.url, { handshakeTimeout: TIMEOUT_MS });
  await once(socket, 'open');
  for (const message of call.messages) {
    socket.send(message);
    const [data] = (await once(socket, 'message')) as [Buffer];
    recorder.addText(data.toString());
    recorder.add('OK');
  }
  socket.close();
  await once(socket, 'close');
}

async function callTcp(call: Extract<Call, { kind: 'tcp' }>, recorder: OutcomeRecorder): Promise<void> {
  const socket = connectTcp(call.port, call.host);
  socket.setEncoding('latin1');
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('timeout')));
  let received = '';
  let sent = false;
  for await (const part of socket) {
    received += String(part);
    recorder.addText(String(part));
    if (sent || received !== call.banner) continue;
    sent = true;
    socket.end(call.text);
  }
  recorder.add(sent ? 'OK' : 'no banner');
}

function callAs(command: Call, recorder: OutcomeRecorder): Promise<void> {
  switch (command.kind) {
    case 'http':
      return callHttp(command, recorder);
    case 'http2':
      return callHttp2(command, recorder);
    case 'grpc':
      return callGrpc(command, recorder);
    case 'websocket':
      return callWebSocket(command, recorder);
    case 'tcp':
      return callTcp(command, recorder);
  }
}

export async function call(command: Call, onFirst: () => void = () => undefined): Promise<Outcome> {
  const recorder = new OutcomeRecorder(onFirst);
  try {
    await callAs(command, recorder);
  } catch (error) {
    recorder.add(error instanceof Error ? error.message : String(error));
  }
  return recorder.outcome;
}

export async function main(argument: string): Promise<void> {
  const outcome = await call(JSON.parse(argument) as Call, () => process.stderr.write('first answer\n'));
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
