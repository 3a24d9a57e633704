/** Sessions: which endpoint the client has asked for with its cookie or header, and what it is told to keep (GEP-1619). */
import type { Clock } from '../../runtime/clock.ts';
import type { SessionConfig } from '../cluster/cluster-config.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { FieldLines, RequestHead } from '../exchange/stream.ts';
import type { Backend, ForwardRoute } from './route-table.ts';
import { formatToken, readToken } from './session-tokens.ts';

/** The rule's, else that of the Service behind the backend; null without one. */
export function sessionOf(route: ForwardRoute, backend: Backend): SessionConfig | null {
  if (route.session !== null) return route.session;
  return backend.cluster === null ? null : backend.cluster.config.session;
}

/** A session that the client has, and that is still there. */
export interface FoundSession {
  readonly backend: Backend;
  readonly endpoint: Endpoint;
}

/**
 * The session of a request among all backends of the rule, those of weight 0 as well. Only names of their endpoints lead
 * anywhere; what the client sends is compared with them and nothing else.
 */
export function findSession(route: ForwardRoute, head: RequestHead, clock: Clock): FoundSession | null {
  const { backends } = route;
  for (let i = 0; i < backends.length; i++) {
    const backend = backends[i];
    const session = sessionOf(route, backend);
    if (session === null || backend.tokens === null) continue;
    const endpoint = endpointAskedFor(session, backend, head.fields, clock);
    if (endpoint !== null) return { backend, endpoint };
  }
  return null;
}

/** Of several cookies of the name the first that leads somewhere: browsers send those of longer paths first. */
function endpointAskedFor(
  session: SessionConfig,
  { tokens }: Backend,
  lines: FieldLines,
  clock: Clock,
): Endpoint | null {
  const field = session.kind === 'cookie' ? 'cookie' : session.name;
  for (let i = 0; i < lines.length; i += 2) {
    if (lines[i] !== field) continue;
    const line = lines[i + 1];
    let start = session.kind === 'cookie' ? valueStart(line, session.name, 0) : 0;
    while (start >= 0) {
      const semicolon = session.kind === 'cookie' ? line.indexOf(';', start) : -1;
      const token = line.slice(start, semicolon < 0 ? line.length : semicolon).trimEnd();
      const name = readToken(session, token, clock.unix());
      const endpoint = name === '' || tokens === null ? null : tokens.endpointOf(name, session.key);
      if (endpoint !== null) return endpoint;
      start = semicolon < 0 ? -1 : valueStart(line, session.name, semicolon + 1);
    }
  }
  return null;
}

const SPACE = 32;

/** Where the value of the cookie begins, from the pair at `from` on; -1 if it is not there. */
function valueStart(line: string, name: string, from: number): number {
  let start = from;
  for (;;) {
    while (line.charCodeAt(start) === SPACE) start++;
    if (line.startsWith(name, start) && line[start + name.length] === '=') return start + name.length + 1;
    const semicolon = line.indexOf(';', start);
    if (semicolon < 0) return -1;
    start = semicolon + 1;
  }
}

/** Tells the client to keep the endpoint that has answered. */
export function keepSession(
  session: SessionConfig,
  { tokens }: Backend,
  endpoint: Endpoint,
  lines: FieldLines,
  unix: number,
): void {
  const name = tokens === null ? '' : tokens.nameOf(endpoint, session.key);
  // It has been removed meanwhile.
  if (name === '') return;
  const token = formatToken(session, name, unix);
  if (session.kind === 'header') lines.push(session.name, token);
  else lines.push('set-cookie', cookie(session, token));
}

/**
 * Not Secure, as requests inside of the mesh are plain HTTP to their clients. Lax and not Strict: a link from elsewhere
 * would come without its cookie, and the session be lost for it.
 */
function cookie({ name, path, permanent, timeoutMs }: SessionConfig, token: string): string {
  const where = path === '' ? '' : `; Path=${path}`;
  const until = permanent ? `; Max-Age=${Math.ceil(timeoutMs / 1000)}` : '';
  return `${name}=${token}${where}${until}; HttpOnly; SameSite=Lax`;
}
