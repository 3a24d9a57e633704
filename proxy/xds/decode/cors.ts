import { CorsPolicy } from '../../../api/xds/gen/envoy/extensions/filters/http/cors/v3/cors.ts';
import type { Any } from '../../../api/xds/gen/google/protobuf/any.ts';
import { corsFilterName } from '../../../api/xds/names.ts';
import type { CorsConfig } from '../../route/route-config.ts';
import { type Problems, unpackField } from './decoded.ts';
import { readString } from './route-match.ts';

/** The policy among the filters' configurations of a route; null without one. Other filters are not known. */
export function readCors(
  filters: Readonly<Record<string, Any>>,
  at: string,
  problems: Problems,
): CorsConfig | null {
  for (const name of Object.keys(filters)) {
    if (name !== corsFilterName) {
      problems.add(`${at}["${name}"]`, 'set', `this sidecar knows ${corsFilterName} only; leave it out`);
    }
  }
  if (!Object.hasOwn(filters, corsFilterName)) return null;
  const where = `${at}["${corsFilterName}"]`;
  const policy = unpackField(CorsPolicy, filters[corsFilterName], where, problems);
  if (policy === null) return null;
  if (policy.filterEnabled !== undefined)
    problems.add(`${where}.filter_enabled`, 'set', 'this sidecar does not support it; leave it out');
  return {
    origins: policy.allowOriginStringMatch.map((matcher, index) =>
      readString(matcher, `${where}.allow_origin_string_match[${index}]`, problems),
    ),
    methods: policy.allowMethods,
    headers: policy.allowHeaders,
    exposeHeaders: policy.exposeHeaders,
    credentials: policy.allowCredentials ?? false,
    maxAge: policy.maxAge,
  };
}
