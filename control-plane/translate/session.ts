import { createHash } from 'node:crypto';
import type { Route, RouteMatch, RouteRule, Session, TrafficPolicy } from '../model/model.ts';
import type { ResolvedSession } from './resolved-route.ts';

/** The session of a rule for one of its matches; null if it keeps none. */
export function resolveSession(
  route: Route,
  { session }: RouteRule,
  match: RouteMatch,
  origin: string,
): ResolvedSession | null {
  if (session === null) return null;
  const path = session.kind === 'cookie' ? cookiePath(match.path) : '';
  return { ...session, origin, name: nameOf(session, origin), path, key: sessionKey(route.uid, origin) };
}

/** Of a Service, whatever the rule: a path would keep it from the other rules (GEP-1619, "Path"). */
export function sessionOfPolicy({ origin, uid, session }: TrafficPolicy): ResolvedSession | null {
  if (session === null) return null;
  return { ...session, origin, name: nameOf(session, origin), path: '', key: sessionKey(uid, origin) };
}

function nameOf({ name }: Session, origin: string): string {
  return name === '' ? `session-${digest(origin).slice(0, 8)}` : name;
}

/**
 * The same on every replica, and nothing that a client from outside can know: a uid is random (RFC 9562 §5.4). Where
 * objects have none, as in a folder, it is only the name.
 */
export function sessionKey(uid: string, origin: string): string {
  return digest(`${uid} ${origin}`).slice(0, 32);
}

function digest(text: string): string {
  return createHash('sha256').update(`tulle session ${text}`).digest('hex');
}

/** The path that was matched (GEP-1619, "Path"); of an expression the whole elements that it begins with. */
function cookiePath({ kind, value }: RouteMatch['path']): string {
  if (kind !== 'regex') return value.includes(';') ? elementsOf(value.split(';')[0]) : value;
  return value.includes('|') ? '/' : elementsOf(/^\^?([\w/~%-]*)/.exec(value)?.[1] ?? '');
}

/** Without the last element, of which there may be more. */
function elementsOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** Metadata of a sidecar's Route or Cluster. */
export function sessionMetadata(session: ResolvedSession | null): Record<string, string> {
  if (session === null) return {};
  return {
    session_kind: session.kind,
    session_name: session.name,
    session_path: session.path,
    session_timeout_ms: session.timeoutMs === 0 ? '' : String(session.timeoutMs),
    session_permanent: session.permanent ? 'true' : '',
    session_key: session.key,
  };
}
