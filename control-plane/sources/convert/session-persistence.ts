import type { Session } from '../../model/model.ts';
import { duration } from './duration.ts';
import { type Fields, fields, oneOf, type Problems, text } from './fields.ts';

/** Names of cookies (RFC 6265 §4.1.1) and of headers. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** Reads a SessionPersistence (GEP-1619); null without one, or if it cannot be carried out. */
export function readSession(value: unknown, path: string, problems: Problems): Session | null {
  const body = fields(value, path, problems);
  if (body === null) return null;
  const before = problems.list.length;
  const type = oneOf(body.type, `${path}.type`, ['Cookie', 'Header'], 'Cookie', problems);
  const cookie = fields(body.cookieConfig, `${path}.cookieConfig`, problems) ?? {};
  const lifetimes = ['Session', 'Permanent'] as const;
  const at = `${path}.cookieConfig.lifetimeType`;
  const permanent = oneOf(cookie.lifetimeType, at, lifetimes, 'Session', problems) === 'Permanent';
  const timeoutMs = duration(body.absoluteTimeout, `${path}.absoluteTimeout`, problems) ?? 0;
  if (permanent && timeoutMs === 0)
    problems.add(`${path}.absoluteTimeout`, body.absoluteTimeout, 'give it: the cookie is permanent');
  if (type === 'Header' && body.cookieConfig !== undefined)
    problems.add(`${path}.cookieConfig`, body.cookieConfig, 'leave it out: the type is Header');
  if (body.idleTimeout !== undefined)
    problems.addFault('NotApplied', `${path}.idleTimeout is no field of Gateway API; use absoluteTimeout`);
  const name = readName(body, type === 'Header', path, problems);
  const failed = problems.list.slice(before).some(problem => problems.reasonOf(problem) !== 'NotApplied');
  return failed || type === null || name === null
    ? null
    : { kind: type === 'Cookie' ? 'cookie' : 'header', name, timeoutMs, permanent };
}

/** Headers are in lower case. Those of the mesh are taken away from requests. */
function readName(body: Fields, isHeader: boolean, path: string, problems: Problems): string | null {
  const name = text(body.sessionName, `${path}.sessionName`, problems);
  if (name === null || name === '') return name;
  const taken = isHeader && /^(tulle[-_]|(cookie|set-cookie|host)$)/i.test(name);
  if (TOKEN.test(name) && !taken) return isHeader ? name.toLowerCase() : name;
  problems.add(
    `${path}.sessionName`,
    name,
    `use the name of a ${isHeader ? 'header of your own' : 'cookie'}`,
  );
  return null;
}
