import type { RequestHead } from '../exchange/stream.ts';
import { rewritePath } from './path-rewrite.ts';
import type { RedirectConfig } from './route-config.ts';

/**
 * `Location` of a redirect (HTTPRequestRedirectFilter of Gateway API). What is not configured is as in the request. The
 * port: as configured, else the well-known one of a configured scheme, else that of the Service; `:80` for http and
 * `:443` for https are left out.
 */
export function redirectLocation(redirect: RedirectConfig, head: RequestHead, servicePort: number): string {
  const scheme = redirect.scheme === '' ? head.scheme : redirect.scheme;
  const host = redirect.host === '' ? hostOf(head.authority) : redirect.host;
  const port = redirect.port !== 0 ? redirect.port : redirect.scheme === '' ? servicePort : wellKnown(scheme);
  const path = redirect.path === null ? head.path : rewritePath(redirect.path, head.path);
  const suffix = port === 0 || port === wellKnown(scheme) ? '' : `:${port}`;
  return `${scheme}://${host}${suffix}${path}`;
}

function wellKnown(scheme: string): number {
  return scheme === 'https' ? 443 : 80;
}

/** Without the port; an IPv6 literal keeps its brackets. */
function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon > authority.lastIndexOf(']') ? authority.slice(0, colon) : authority;
}
