import { truncate } from '../../runtime/truncate.ts';
import { stripMeshFields } from './mesh-fields.ts';
import type { FieldLines } from './stream.ts';

/**
 * Fields that route, frame or authenticate a message (RFC 9110 §6.5.1). Whoever merges trailers into the head would take
 * them for what every hop before has judged by the head alone. HTTP/1.1 drops more when it reads a trailer section.
 */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'te',
  'trailer',
  'expect',
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** Removes from trailers what does not belong there and what speaks for the mesh, in place. */
export function cleanTrailers(fields: FieldLines): void {
  stripMeshFields(fields);
  let i = 0;
  while (i < fields.length && !NOT_IN_TRAILERS.has(fields[i])) i += 2;
  let kept = i;
  for (; i < fields.length; i += 2) {
    if (NOT_IN_TRAILERS.has(fields[i])) continue;
    fields[kept] = fields[i];
    fields[kept + 1] = fields[i + 1];
    kept += 2;
  }
  truncate(fields, kept);
}
