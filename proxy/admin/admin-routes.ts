import { type AdminHandler, type AdminRequest, type AdminResponse, text } from './admin-server.ts';

export interface AdminActions {
  /** What readiness waits for, with reasons; empty when the sidecar is ready. */
  readonly waiting: () => readonly string[];
  readonly metrics: (accept: string) => Promise<AdminResponse>;
  readonly probe: (path: string) => Promise<AdminResponse>;
  /** JSON. */
  readonly config: () => string;
  /** Begins to drain; answers at once. */
  readonly drain: () => void;
}

const LOCAL_ONLY = text(403, 'only from this host, and with a loopback address in Host\n');

/** The paths of the admin port. */
export function adminRoutes(actions: AdminActions): AdminHandler {
  const get: Readonly<Record<string, (request: AdminRequest) => AdminResponse | Promise<AdminResponse>>> = {
    '/live': () => text(200, 'live\n'),
    '/ready': () => {
      const waiting = actions.waiting();
      return waiting.length === 0 ? text(200, 'ready\n') : text(503, `waiting for:\n${waiting.join('\n')}\n`);
    },
    '/metrics': ({ accept }) => actions.metrics(accept),
    '/config': ({ local }) =>
      local ? { status: 200, contentType: 'application/json', body: actions.config() } : LOCAL_ONLY,
  };
  return request => {
    const { method, path, local } = request;
    if (path === '/drain') {
      if (!local) return LOCAL_ONLY;
      if (method !== 'POST') return text(405, 'use POST\n');
      actions.drain();
      return text(202, 'draining\n');
    }
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'use GET\n');
    if (Object.hasOwn(get, path)) return get[path](request);
    if (path.startsWith('/probe/')) return actions.probe(path);
    return text(404, 'there are /live, /ready, /metrics, /config, /drain and /probe/...\n');
  };
}
