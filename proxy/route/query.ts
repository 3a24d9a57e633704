const AMPERSAND = '&';

/**
 * First value of a query parameter, decoded (`+` and percent-encoding, compared as UTF-8 bytes); null without one. `end`
 * is where the query begins, at its `?`, or the length of the path. Nothing is parsed beyond the parameter asked for.
 */
export function queryValue(path: string, end: number, name: string): string | null {
  let position = end + 1;
  while (position < path.length) {
    let stop = path.indexOf(AMPERSAND, position);
    if (stop < 0) stop = path.length;
    let equals = path.indexOf('=', position);
    if (equals < 0 || equals > stop) equals = stop;
    if (isNamed(path, position, equals, name))
      return equals === stop ? '' : decode(path.slice(equals + 1, stop));
    position = stop + 1;
  }
  return null;
}

function isNamed(path: string, start: number, end: number, name: string): boolean {
  if (end - start === name.length) return path.startsWith(name, start);
  return end - start > name.length && decode(path.slice(start, end)) === name;
}

/** Malformed percent-encoding stays as it is. */
function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return text
    .replaceAll('+', ' ')
    .replace(/%[0-9a-fA-F]{2}/g, escape => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
}
