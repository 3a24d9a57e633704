import { pack } from '../../../api/xds/any.ts';
import { durationOf } from '../../../api/xds/duration.ts';
import type { TypedExtensionConfig } from '../../../api/xds/gen/envoy/config/core/v3/extension.ts';
import type { Route } from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import {
  StatefulSession,
  StatefulSessionPerRoute,
} from '../../../api/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session.ts';
import type { HttpFilter } from '../../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { CookieBasedSessionState } from '../../../api/xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie.ts';
import { HeaderBasedSessionState } from '../../../api/xds/gen/envoy/extensions/http/stateful_session/header/v3/header.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import { type ResolvedRoute, type ResolvedSession, weighted } from '../resolved-route.ts';

const filterName = 'envoy.filters.http.stateful_session';

/** The filter in Envoy's chain; without a word of the route it does nothing. */
export function sessionFilter(): DeepPartial<HttpFilter> {
  return { name: filterName, configType: { $case: 'typedConfig', value: pack(StatefulSession, {}) } };
}

/**
 * Envoy chooses the cluster first, by weight, and finds a session only if its endpoint is there: so routes to several
 * clusters keep none.
 */
export function typedSession({
  session,
  action,
}: ResolvedRoute): NonNullable<DeepPartial<Route>['typedPerFilterConfig']> {
  if (action.kind !== 'forward') return {};
  const [backend, ...others] = weighted(action);
  const used = session ?? backend.session;
  if (used === null || others.length > 0) return {};
  const override = { $case: 'statefulSession' as const, value: { sessionState: sessionState(used) } };
  return { [filterName]: pack(StatefulSessionPerRoute, { override }) };
}

function sessionState(session: ResolvedSession): DeepPartial<TypedExtensionConfig> {
  const { kind, name, path, permanent, timeoutMs } = session;
  if (kind === 'header') {
    return {
      name: 'envoy.http.stateful_session.header',
      typedConfig: pack(HeaderBasedSessionState, { name }),
    };
  }
  const ttl = permanent ? { ttl: durationOf(timeoutMs) } : {};
  return {
    name: 'envoy.http.stateful_session.cookie',
    typedConfig: pack(CookieBasedSessionState, { cookie: { name, path, ...ttl } }),
  };
}
