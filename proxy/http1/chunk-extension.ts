import { CR, LF, SEMICOLON, TOKEN, VALUE } from './bytes.ts';
import { REFUSALS, type Refusal } from './refusal.ts';

const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The places in chunk extensions, from their first semicolon on (RFC 9112 §7.1.1), without the bad whitespace that it
 * tolerates: what is skipped must not hide a line break.
 *
 *     chunk-ext     = *( ";" chunk-ext-name [ "=" chunk-ext-val ] )
 *     chunk-ext-val = token / quoted-string
 *
 *     name-start ── tchar ──→ name ── "=" ──→ value-start ── tchar ──→ token
 *                                             value-start ── DQUOTE ──→ quoted ── DQUOTE ──→ closed
 *                                                                       quoted ── "\" ──→ escaped ── any ──→ quoted
 *     name, token, closed ── ";" ──→ name-start
 *     name, token, closed ── CR ──→ end
 */
export type ExtensionState =
  | 'name-start'
  | 'name'
  | 'value-start'
  | 'token'
  | 'quoted'
  | 'escaped'
  | 'closed'
  | 'end';

/** The state after one more byte, or why there is none. */
export function nextExtensionState(state: ExtensionState, byte: number): ExtensionState | Refusal {
  switch (state) {
    case 'name-start':
      return TOKEN[byte] !== 0 ? 'name' : REFUSALS.chunkExtension;
    case 'name':
      if (TOKEN[byte] !== 0) return 'name';
      return byte === EQUALS ? 'value-start' : afterMember(byte);
    case 'value-start':
      if (byte === QUOTE) return 'quoted';
      return TOKEN[byte] !== 0 ? 'token' : REFUSALS.chunkExtension;
    case 'token':
      return TOKEN[byte] !== 0 ? 'token' : afterMember(byte);
    case 'quoted':
      if (byte === QUOTE) return 'closed';
      if (byte === BACKSLASH) return 'escaped';
      return VALUE[byte] !== 0 ? 'quoted' : REFUSALS.chunkExtension;
    case 'escaped':
      return VALUE[byte] !== 0 ? 'quoted' : REFUSALS.chunkExtension;
    case 'closed':
      return afterMember(byte);
    case 'end':
      return 'end';
  }
}

function afterMember(byte: number): ExtensionState | Refusal {
  if (byte === CR) return 'end';
  if (byte === SEMICOLON) return 'name-start';
  return byte === LF ? REFUSALS.bareLf : REFUSALS.chunkExtension;
}
