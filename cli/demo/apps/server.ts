/** What the demo's HTTP services share: JSON answers, faults that the launcher can switch on, and a clean stop. */
import { createServer, type IncomingMessage, type Server } from 'node:http';

export interface Service {
  name: string;
  /** Fields of the answer. */
  answer(request: IncomingMessage): Promise<Record<string, unknown>> | Record<string, unknown>;
}

export interface ServiceEnvironment {
  host: string;
  port: number;
  pod: string;
  version: string;
}

/**
 * After SIGTERM a service goes on serving until its callers have heard that it leaves; Kubernetes tells both at the same
 * time, so that every service that is restarted under load needs this (or a preStop hook that sleeps).
 */
const LINGER_MS = 500;

/** SPIFFE ID of the caller, as the sidecar tells it. */
export function callerOf(request: IncomingMessage): string {
  const field = request.headers['x-forwarded-client-cert'];
  return /URI=([^;,]+)/.exec(typeof field === 'string' ? field : '')?.[1] ?? '';
}

/**
 * Serves until SIGTERM; then finishes what it has accepted. `PUT /_fault?rate=0.5` makes that share of the answers 503,
 * which is how the demo breaks an endpoint.
 */
export function serve(service: Service, environment: ServiceEnvironment): Server {
  let failureRate = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '/', 'http://service');
      let status = 200;
      let body: Record<string, unknown>;
      if (url.pathname === '/_fault') {
        if (request.method === 'PUT') failureRate = Number(url.searchParams.get('rate'));
        body = { failureRate };
      } else if (Math.random() < failureRate) {
        status = 503;
        body = { error: 'the demo broke this endpoint', pod: environment.pod };
      } else {
        const { pod, version } = environment;
        try {
          body = {
            service: service.name,
            pod,
            version,
            caller: callerOf(request),
            ...(await service.answer(request)),
          };
        } catch (error) {
          status = 502;
          body = {
            service: service.name,
            pod,
            error: error instanceof Error ? error.message : String(error),
          };
        }
      }
      const text = JSON.stringify(body);
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    })();
  });
  server.keepAliveTimeout = 60_000;
  server.listen(environment.port, environment.host);
  process.on('SIGTERM', () => {
    setTimeout(() => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    }, LINGER_MS);
  });
  return server;
}
