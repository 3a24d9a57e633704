import type {
  RedirectAction,
  RouteAction,
} from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { PathRewrite, RouteMatch } from '../../model/model.ts';
import type { Redirect } from '../resolved-route.ts';
import { redirectCode, wholePathRewrite } from '../route-wire.ts';

type Rewrite = DeepPartial<RouteAction>['regexRewrite'];

/**
 * How the matched prefix is replaced. Envoy replaces characters and Gateway API path elements, so the slash between the
 * replacement and the rest needs care: `/` → `/xyz` keeps the slash that the match takes, `/foo` → `/` must not double it.
 */
type PrefixRewrite =
  | { readonly kind: 'none' }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: NonNullable<Rewrite> };

function prefixRewrite(replacement: string, path: RouteMatch['path']): PrefixRewrite {
  const value = replacement.replace(/\/+$/, '');
  if (path.kind !== 'prefix') return { kind: 'none' };
  if (path.value === '/') return value === '' ? { kind: 'none' } : { kind: 'prefix', value: `${value}/` };
  if (value !== '') return { kind: 'prefix', value };
  return { kind: 'regex', value: { pattern: { regex: `^${quote(path.value)}/?` }, substitution: '/' } };
}

/** RE2 takes any punctuation with a backslash before it literally. */
function quote(text: string): string {
  return text.replace(/[^\w/-]/g, '\\$&');
}

/** Path rewrite of a route that forwards. */
export function rewriteAction(
  rewrite: PathRewrite | null,
  path: RouteMatch['path'],
): Pick<DeepPartial<RouteAction>, 'prefixRewrite' | 'regexRewrite'> {
  if (rewrite === null) return {};
  if (rewrite.kind === 'full') return { regexRewrite: wholePathRewrite(rewrite.value) };
  const prefix = prefixRewrite(rewrite.value, path);
  if (prefix.kind === 'none') return {};
  return prefix.kind === 'prefix' ? { prefixRewrite: prefix.value } : { regexRewrite: prefix.value };
}

/** Redirect of a route. */
export function redirect(
  action: Redirect,
  path: RouteMatch['path'],
  servicePort: number,
): DeepPartial<RedirectAction> {
  const rewrite = redirectPath(action.path, path);
  return {
    hostRedirect: action.host,
    portRedirect: redirectPort(action, servicePort),
    responseCode: redirectCode(action.status),
    ...(action.scheme === ''
      ? {}
      : { schemeRewriteSpecifier: { $case: 'schemeRedirect' as const, value: action.scheme } }),
    ...(rewrite === null ? {} : { pathRewriteSpecifier: rewrite }),
  };
}

/**
 * Explicit port, else the well-known one of a new scheme, else the Service's (HTTPRequestRedirectFilter, port). 0 leaves it
 * out, as one should for 80 of http and 443 of https; but then Envoy keeps the port of the request's authority, unless the
 * host is new or that port is the Service's well-known one.
 */
function redirectPort({ port, scheme, host }: Redirect, servicePort: number): number {
  const wellKnown = scheme === 'https' ? 443 : 80;
  const chosen = port !== 0 ? port : scheme !== '' ? wellKnown : servicePort;
  const mayOmit = host !== '' || servicePort === 80 || servicePort === chosen;
  return chosen === wellKnown && mayOmit ? 0 : chosen;
}

function redirectPath(
  rewrite: PathRewrite | null,
  path: RouteMatch['path'],
): NonNullable<DeepPartial<RedirectAction>['pathRewriteSpecifier']> | null {
  if (rewrite === null) return null;
  if (rewrite.kind === 'full') return { $case: 'pathRedirect', value: rewrite.value };
  const prefix = prefixRewrite(rewrite.value, path);
  if (prefix.kind === 'none') return null;
  return prefix.kind === 'prefix'
    ? { $case: 'prefixRewrite', value: prefix.value }
    : { $case: 'regexRewrite', value: prefix.value };
}
