import { truncate } from '../../runtime/truncate.ts';
import { TOKEN } from './bytes.ts';
import { END_TO_END, FIELD_TAGS } from './field-table.ts';

const COMMA = 0x2c;

/** Yields the members of a comma-separated list, trimmed and in lower case, empty ones left out (RFC 9110 §5.6.1). */
export function listMembers(value: string): string[] {
  const members: string[] = [];
  let start = 0;
  for (let i = 0; i <= value.length; i++) {
    if (i < value.length && value.charCodeAt(i) !== COMMA) continue;
    const member = value.slice(start, i).trim().toLowerCase();
    if (member !== '') members.push(member);
    start = i + 1;
  }
  return members;
}

/** Whether every character is a tchar. */
export function isToken(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 255 || TOKEN[code] === 0) return false;
  }
  return value.length > 0;
}

/** Whether a Connection field may not name this field, so that no hop is made to lose it (RFC 9110 §7.6.1). */
export function isEndToEnd(name: string): boolean {
  return ((FIELD_TAGS.get(name) ?? 0) & END_TO_END) !== 0 || isIdentityField(name);
}

function isIdentityField(name: string): boolean {
  return name.startsWith('tulle-') || name.startsWith('x-forwarded-') || name.startsWith('x-envoy-');
}

/** Removes the field lines whose name is in `names`, in place. */
export function removeFields(fields: string[], names: string[]): void {
  let kept = 0;
  for (let i = 0; i < fields.length; i += 2) {
    if (names.includes(fields[i])) continue;
    fields[kept] = fields[i];
    fields[kept + 1] = fields[i + 1];
    kept += 2;
  }
  truncate(fields, kept);
}

const UPGRADE_PROTOCOL = /^[!#$%&'*+\-.^_`|~0-9a-z]+(\/[!#$%&'*+\-.^_`|~0-9a-z]+)?$/;

/**
 * The protocol that a client asks to switch to: the first of its list that is not HTTP itself. `h2c` is dropped, since
 * a switch that an intermediary does not follow hides requests from it.
 * @returns lower-case, '' if there is none, null if the list is malformed.
 */
export function chooseUpgrade(value: string): string | null {
  let chosen = '';
  for (const protocol of listMembers(value)) {
    if (!UPGRADE_PROTOCOL.test(protocol)) return null;
    if (chosen === '' && protocol !== 'h2c' && protocol !== 'h2' && !protocol.startsWith('http/')) {
      chosen = protocol;
    }
  }
  return chosen;
}

/** N of `timeout=N` in a Keep-Alive field (RFC 2068 §19.7.1), -1 if it is not there. */
export function keepAliveTimeout(value: string): number {
  for (const parameter of listMembers(value)) {
    if (!parameter.startsWith('timeout=')) continue;
    const seconds = Number(parameter.slice(8));
    if (Number.isInteger(seconds) && seconds >= 0) return seconds;
  }
  return -1;
}
