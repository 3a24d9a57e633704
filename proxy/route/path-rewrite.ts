import type { PathRewrite } from './route-config.ts';

/** Path of the request after a rewrite; the query stays (table of HTTPPathModifier in Gateway API). */
export function rewritePath(rewrite: PathRewrite, path: string): string {
  const query = path.indexOf('?');
  const end = query < 0 ? path.length : query;
  if (rewrite.kind === 'full') return (rewrite.value === '' ? '/' : rewrite.value) + path.slice(end);
  const matched = withoutSlash(rewrite.matched);
  if (!path.startsWith(matched)) return path;
  const rewritten = withoutSlash(rewrite.value) + path.slice(matched.length);
  // Nothing may be left in front of the query: /foo?a=1 with /foo removed is /?a=1.
  return rewritten === '' || rewritten.charCodeAt(0) !== SLASH ? `/${rewritten}` : rewritten;
}

const SLASH = 47;

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}
