/** The HTTPS server that the API server calls. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { InjectorMetrics } from './metrics.ts';
import { type AdmissionRequest, type Answer, formatReview, parseReview, ReviewError } from './review.ts';

/** The API server sends at most 3 MiB of an object (its own limit for writes). */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** The API server gives up after timeoutSeconds, which is 5. */
const REQUEST_TIMEOUT_MS = 5000;

export type ReviewHandler = (request: AdmissionRequest) => Answer | Promise<Answer>;

export interface WebhookServerOptions {
  /** Path to what reviews the objects that are sent there. */
  handlers: Readonly<Record<string, ReviewHandler>>;
  metrics: InjectorMetrics;
  clock: Clock;
  log: Logger;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new ReviewError(413, `the body has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function handlerOf(request: IncomingMessage, options: WebhookServerOptions): [string, ReviewHandler] {
  const path = (request.url ?? '').split('?', 1)[0];
  if (!Object.hasOwn(options.handlers, path)) throw new ReviewError(404, `there is no webhook at ${path}`);
  if (request.method !== 'POST') throw new ReviewError(405, `use POST, not ${request.method}`);
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0].trim();
  if (type !== 'application/json') throw new ReviewError(415, 'use content-type application/json');
  return [path, options.handlers[path]];
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Answers one request. Never throws: what goes wrong is an HTTP error, for which the API server has its failurePolicy. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: WebhookServerOptions,
): Promise<void> {
  const { clock, log, metrics } = options;
  const began = clock.now();
  let webhook = 'none';
  try {
    const [path, handler] = handlerOf(request, options);
    webhook = path;
    const review = parseReview(await readBody(request));
    const answer = await handler(review);
    const { outcome, reason, message, warnings } = answer;
    const { uid, namespace, name } = review;
    send(response, 200, 'application/json', formatReview(uid, answer));
    metrics.reviewed(webhook, outcome, reason, (clock.now() - began) / 1000);
    log.info({ webhook, uid, namespace, name, outcome, reason, message, warnings }, 'review');
  } catch (error) {
    const known = error instanceof ReviewError;
    const status = known ? error.status : 500;
    log.warn({ webhook, status, err: error }, 'review failed');
    metrics.reviewed(webhook, 'errored', `http_${status}`, (clock.now() - began) / 1000);
    if (!known || status === 413) response.setHeader('connection', 'close');
    if (!response.headersSent) {
      send(
        response,
        status,
        'text/plain',
        `${known ? error.message : 'internal error; see the log of the injector'}\n`,
      );
    }
  }
}

/** The server, which listens once it is told to, and serves once it has a certificate (`setSecureContext`). */
export function createWebhookServer(options: WebhookServerOptions): Server {
  const server = createServer(
    { minVersion: 'TLSv1.2', requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      void serve(request, response, options);
    },
  );
  // Idle connections of the API server are kept for longer than it keeps them (90 s), so that it ends them, not we.
  server.keepAliveTimeout = 120_000;
  server.on('tlsClientError', error => options.log.debug({ err: error }, 'TLS handshake failed'));
  return server;
}
