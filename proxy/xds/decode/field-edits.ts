import type { HeaderValueOption } from '../../../api/xds/gen/envoy/config/core/v3/base.ts';
import type { FieldEdits } from '../../route/route-config.ts';
import type { Problems } from './decoded.ts';

/** Edits of header fields; null if there are none. `at` is completed with `_headers_to_add`. */
export function readEdits(
  options: readonly HeaderValueOption[],
  removed: readonly string[],
  at: string,
  problems: Problems,
): FieldEdits | null {
  if (options.length === 0 && removed.length === 0) return null;
  const set: [string, string][] = [];
  const add: [string, string][] = [];
  options.forEach(({ header, appendAction }, index) => {
    const pair: [string, string] = [(header?.key ?? '').toLowerCase(), header?.value ?? ''];
    if (appendAction === 'APPEND_IF_EXISTS_OR_ADD') add.push(pair);
    else if (appendAction === 'OVERWRITE_IF_EXISTS_OR_ADD') set.push(pair);
    else {
      const remedy = 'use APPEND_IF_EXISTS_OR_ADD or OVERWRITE_IF_EXISTS_OR_ADD';
      problems.add(`${at}_headers_to_add[${index}].append_action`, appendAction, remedy);
    }
  });
  return { set, add, remove: removed.map(name => name.toLowerCase()) };
}
