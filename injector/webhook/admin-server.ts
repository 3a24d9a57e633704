/** Metrics, readiness and liveness of the injector, plain HTTP, for the kubelet and Prometheus. */
import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

export interface AdminOptions {
  registry: Registry;
  /** What readiness waits for; empty when the process is ready. */
  waiting(): readonly string[];
}

export function createAdminServer({ registry, waiting }: AdminOptions): Server {
  return createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    if (request.method !== 'GET') {
      response.writeHead(405).end('use GET\n');
    } else if (path === '/live') {
      response.end('live\n');
    } else if (path === '/ready') {
      const tasks = waiting();
      if (tasks.length === 0) response.end('ready\n');
      else response.writeHead(503).end(`waiting for ${tasks.join(', ')}\n`);
    } else if (path === '/metrics') {
      void registry.metrics().then(text => {
        response.setHeader('content-type', registry.contentType);
        response.end(text);
      });
    } else {
      response.writeHead(404).end('there are /live, /ready and /metrics\n');
    }
  });
}
