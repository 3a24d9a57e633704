/**
 * The client of cluster tests: makes calls as it is told and prints what came of them, as JSON. It knows nothing of the
 * mesh. Run inside a pod: `node app.js call '{"kind":"http","url":"http://server/","count":10}'`.
 */

import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { Client, credentials } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { echoMethod } from './grpc-services.ts';

export type Call =
  /** HTTP/1.1 with kept connections. `rate` per second for `seconds`, or `count` one after the other. */
  | {
      kind: 'http';
      url: string;
      count?: number;
      rate?: number;
      seconds?: number;
      method?: string;
      headers?: Record<string, string>;
    }
  | { kind: 'http2'; url: string; count?: number }
  | { kind: 'grpc'; target: string; count?: number }
  | { kind: 'websocket'; url: string; messages: string[] }
  /** Reads until `banner`, then sends `text` and reads it back. */
  | { kind: 'tcp'; host: string; port: number; banner: string; text: string };

export interface Outcome {
  /** Answers by status (HTTP) or `OK` and gRPC codes; failures to get an answer by their text. */
  statuses: Record<string, number>;
  /** JSON bodies; only the first 50 are kept. */
  bodies: Record<string, unknown>[];
  /** Pods that answered, by how often. */
  pods: Record<string, number>;
  versions: Record<string, number>;
  /** `tulle-error` headers by how often. */
  errors: Record<string, number>;
  text: string;
}

const KEPT_BODIES = 50;
const TIMEOUT_MS = 20_000;

function emptyOutcome(): Outcome {
  return { statuses: {}, bodies: [], pods: {}, versions: {}, errors: {}, text: '' };
}

function count(record: Record<string, number>, name: string): void {
  record[name] = (record[name] ?? 0) + 1;
}

function keep(outcome: Outcome, status: string, text: string): void {
  count(outcome.statuses, status);
  if (!text.startsWith('{')) return;
  const body = JSON.parse(text) as Record<string, unknown>;
  if (typeof body.pod === 'string') count(outcome.pods, body.pod);
  if (typeof body.version === 'string') count(outcome.versions, body.version);
  if (outcome.bodies.length < KEPT_BODIES) outcome.bodies.push(body);
}

function httpOnce(call: Extract<Call, { kind: 'http' }>, agent: Agent, outcome: Outcome): Promise<void> {
  return new Promise(resolve => {
    const outgoing = httpRequest(
      call.url,
      { agent, method: call.method ?? 'GET', headers: call.headers ?? {}, timeout: TIMEOUT_MS },
      response => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => {
          const error = response.headers['tulle-error'];
          if (typeof error === 'string') count(outcome.errors, error);
          keep(outcome, String(response.statusCode), text);
          resolve();
        });
        response.on('error', error => {
          count(outcome.statuses, error.message);
          resolve();
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', error => {
      count(outcome.statuses, error.message);
      resolve();
    });
    outgoing.end();
  });
}

async function callHttp(call: Extract<Call, { kind: 'http' }>, outcome: Outcome): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  if (call.rate === undefined) {
    for (let i = 0; i < (call.count ?? 1); i++) await httpOnce(call, agent, outcome);
  } else {
    const pending: Promise<void>[] = [];
    const total = call.rate * (call.seconds ?? 1);
    const started = performance.now();
    while (pending.length < total) {
      const due = Math.min(total, ((performance.now() - started) * call.rate) / 1000);
      while (pending.length < due) pending.push(httpOnce(call, agent, outcome));
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    await Promise.all(pending);
  }
  agent.destroy();
}

async function callHttp2(call: Extract<Call, { kind: 'http2' }>, outcome: Outcome): Promise<void> {
  const url = new URL(call.url);
  const session = connectHttp2(url.origin);
  for (let i = 0; i < (call.count ?? 1); i++) {
    const stream = session.request({ ':path': url.pathname + url.search });
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    let text = '';
    for await (const part of stream) text += String(part);
    keep(outcome, String(headers[':status']), text);
  }
  session.close();
}

async function callGrpc(call: Extract<Call, { kind: 'grpc' }>, outcome: Outcome): Promise<void> {
  const client = new Client(call.target, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = echoMethod;
  for (let i = 0; i < (call.count ?? 1); i++) {
    await new Promise<void>(resolve => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { i }, (error, value) => {
        if (error === null) keep(outcome, 'OK', JSON.stringify(value));
        else count(outcome.statuses, `${error.code}: ${error.details}`);
        resolve();
      });
    });
  }
  client.close();
}

async function callWebSocket(call: Extract<Call, { kind: 'websocket' }>, outcome: Outcome): Promise<void> {
  const socket = new WebSocket(call.url);
  await once(socket, 'open');
  for (const message of call.messages) {
    socket.send(message);
    const [data] = (await once(socket, 'message')) as [Buffer];
    outcome.text += data.toString();
    count(outcome.statuses, 'OK');
  }
  socket.close();
  await once(socket, 'close');
}

async function callTcp(call: Extract<Call, { kind: 'tcp' }>, outcome: Outcome): Promise<void> {
  const socket = connectTcp(call.port, call.host);
  socket.setEncoding('latin1');
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('timeout')));
  let sent = false;
  for await (const part of socket) {
    outcome.text += String(part);
    if (!sent && outcome.text === call.banner) {
      sent = true;
      socket.end(call.text);
    }
  }
  count(outcome.statuses, sent ? 'OK' : 'no banner');
}

export async function call(command: Call): Promise<Outcome> {
  const outcome = emptyOutcome();
  try {
    switch (command.kind) {
      case 'http':
        await callHttp(command, outcome);
        break;
      case 'http2':
        await callHttp2(command, outcome);
        break;
      case 'grpc':
        await callGrpc(command, outcome);
        break;
      case 'websocket':
        await callWebSocket(command, outcome);
        break;
      case 'tcp':
        await callTcp(command, outcome);
        break;
    }
  } catch (error) {
    count(outcome.statuses, error instanceof Error ? error.message : String(error));
  }
  return outcome;
}
