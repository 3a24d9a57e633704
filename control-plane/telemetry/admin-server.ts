/** Metrics, readiness, liveness and problems of the control plane, plain HTTP, for the kubelet, Prometheus and people. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import type { Problem } from '../model/problems.ts';
import type { Changes } from '../status/in-force.ts';

export interface AdminOptions {
  readonly registry: Registry;
  /** What readiness waits for; empty when the process is ready. */
  readonly waiting: () => readonly string[];
  readonly problems: () => readonly Problem[];
  /** Whether what other replicas have read up to these changes is in force in the clients of this one, after a wait. */
  readonly inForce: (changes: Changes) => Promise<boolean>;
}

type Answer = (
  options: AdminOptions,
  response: ServerResponse,
  query: URLSearchParams,
) => void | Promise<void>;

const answers: Readonly<Record<string, Answer>> = {
  '/live': (_, response) => void response.end('live\n'),
  '/ready': ({ waiting }, response) => {
    const tasks = waiting();
    if (tasks.length === 0) response.end('ready\n');
    else response.writeHead(503).end(`waiting for ${tasks.join(', ')}\n`);
  },
  '/metrics': async ({ registry }, response) => {
    const text = await registry.metrics();
    response.setHeader('content-type', registry.contentType);
    response.end(text);
  },
  '/problems': ({ problems }, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify(problems(), null, 2)}\n`);
  },
  '/in-force': async ({ inForce }, response, query) => {
    if (await inForce(Object.fromEntries(query))) response.end('in force\n');
    else response.writeHead(503).end('not read in time\n');
  },
};

export function createAdminServer(options: AdminOptions): Server {
  return createServer((request, response) => {
    const [path, query = ''] = (request.url ?? '').split('?', 2);
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    if (request.method !== 'GET') {
      response.writeHead(405).end('use GET\n');
    } else if (!Object.hasOwn(answers, path)) {
      response.writeHead(404).end(`there are ${Object.keys(answers).join(', ')}\n`);
    } else {
      void Promise.resolve(answers[path](options, response, new URLSearchParams(query))).catch(
        (error: unknown) => {
          response.writeHead(500).end(`${String(error)}\n`);
        },
      );
    }
  });
}
