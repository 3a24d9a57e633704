const PERCENT = 37;
const PLUS = 43;

/**
 * First value of a query parameter, decoded (`+` and percent-encoding, compared as UTF-8 bytes); null without one. `end`
 * is where the query begins, at its `?`, or the length of the path. Nothing is parsed beyond the parameter asked for.
 */
export function queryValue(path: string, end: number, name: string): string | null {
  let position = end + 1;
  while (position < path.length) {
    let stop = path.indexOf('&', position);
    if (stop < 0) stop = path.length;
    let equals = path.indexOf('=', position);
    if (equals < 0 || equals > stop) equals = stop;
    if (isNamed(path, position, equals, name))
      return equals === stop ? '' : decode(path.slice(equals + 1, stop));
    position = stop + 1;
  }
  return null;
}

/** Compares without a copy up to the first encoded character. */
function isNamed(path: string, start: number, end: number, name: string): boolean {
  for (let i = start; i < end; i++) {
    const code = path.charCodeAt(i);
    if (code === PERCENT || code === PLUS) return decode(path.slice(start, end)) === name;
    if (code !== name.charCodeAt(i - start)) return false;
  }
  return end - start === name.length;
}

/** Malformed percent-encoding stays as it is. */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return text
    .replaceAll('+', ' ')
    .replace(/%[0-9a-fA-F]{2}/g, escape => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
}
