import { pack } from '../../api/xds/any.ts';
import type { Route } from '../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import {
  Cors as CorsFilter,
  CorsPolicy,
} from '../../api/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts';
import type { HttpFilter } from '../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import type { StringMatcher } from '../../api/xds/gen/envoy/type/matcher/v3/string.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';
import { corsFilterName } from '../../api/xds/names.ts';
import type { Cors } from '../model/model.ts';

/** The filter in Envoy's chain; what it does is said by each route. */
export function corsFilter(): DeepPartial<HttpFilter> {
  return { name: corsFilterName, configType: { $case: 'typedConfig', value: pack(CorsFilter, {}) } };
}

/** `typed_per_filter_config` of a route, for the sidecar and for Envoy. */
export function typedCors(cors: Cors | null): NonNullable<DeepPartial<Route>['typedPerFilterConfig']> {
  if (cors === null) return {};
  const policy = pack(CorsPolicy, {
    allowOriginStringMatch: cors.allowOrigins.map(originMatcher),
    allowMethods: cors.allowMethods.join(', '),
    allowHeaders: cors.allowHeaders.join(', '),
    exposeHeaders: cors.exposeHeaders.join(', '),
    maxAge: String(cors.maxAgeS),
    ...(cors.allowCredentials ? { allowCredentials: true } : {}),
    // The route decides on preflight requests: the application must not overrule it (GEP-1767).
    forwardNotMatchingPreflights: false,
  });
  return { [corsFilterName]: policy };
}

/** An exact `*` is any origin. A `*` in a host is any number of labels, but no port. */
function originMatcher(origin: string): DeepPartial<StringMatcher> {
  const star = origin.indexOf('*');
  if (star <= 0) return { matchPattern: { $case: 'exact', value: origin } };
  const rest = origin.slice(star + 1).replaceAll('.', '\\.');
  return { matchPattern: { $case: 'safeRegex', value: { regex: `${origin.slice(0, star)}[^/:]+${rest}` } } };
}
