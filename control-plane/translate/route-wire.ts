import type {
  RedirectAction,
  RouteAction,
} from '../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';

/** Envoy's name of a redirect's status; Gateway API allows these five and defaults to 302. */
export function redirectCode(status: number): RedirectAction['responseCode'] {
  switch (status) {
    case 301:
      return 'MOVED_PERMANENTLY';
    case 303:
      return 'SEE_OTHER';
    case 307:
      return 'TEMPORARY_REDIRECT';
    case 308:
      return 'PERMANENT_REDIRECT';
    default:
      return 'FOUND';
  }
}

/** The whole path becomes `value`; the query stays. A backslash would refer to a group of the expression. */
export function wholePathRewrite(value: string): NonNullable<DeepPartial<RouteAction>['regexRewrite']> {
  return { pattern: { regex: '^.*$' }, substitution: value.replaceAll('\\', '\\\\') };
}
