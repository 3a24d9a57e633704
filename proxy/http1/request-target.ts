import { hasPort, parseAuthority } from './authority.ts';
import type { HeadParser } from './head-parser.ts';
import { REFUSALS } from './refusal.ts';

const SLASH = 0x2f;
const QUESTION = 0x3f;

/** The four forms of RFC 9112 §3.2. */
export function interpretTarget(p: HeadParser): boolean {
  const target = p.target;
  if (p.method === 'CONNECT') {
    const authority = parseAuthority(target);
    if (authority === '' || !hasPort(authority)) return p.no(REFUSALS.targetAuthority);
    p.authority = authority;
    p.path = '';
    return true;
  }
  if (target.charCodeAt(0) === SLASH) {
    p.path = target;
    return true;
  }
  if (target === '*') {
    p.path = '*';
    return p.method === 'OPTIONS' || p.no(REFUSALS.targetForm);
  }
  return absoluteForm(p, target);
}

function absoluteForm(p: HeadParser, target: string): boolean {
  const authorityStart = schemeEnd(target);
  if (authorityStart === 0) return p.no(REFUSALS.targetForm);
  p.scheme = authorityStart === 7 ? 'http' : 'https';
  let i = authorityStart;
  while (i < target.length && target.charCodeAt(i) !== SLASH && target.charCodeAt(i) !== QUESTION) i++;
  // The authority of the target replaces the Host field (RFC 9112 §3.2.2).
  p.authority = parseAuthority(target.slice(authorityStart, i));
  if (p.authority === '') return p.no(REFUSALS.targetAuthority);
  if (i === target.length) p.path = p.method === 'OPTIONS' ? '*' : '/';
  else p.path = target.charCodeAt(i) === SLASH ? target.slice(i) : `/${target.slice(i)}`;
  return true;
}

/** Length of `http://` or `https://` at the beginning, 0 without. */
function schemeEnd(target: string): number {
  const start = target.slice(0, 8).toLowerCase();
  if (start.startsWith('http://')) return 7;
  return start === 'https://' ? 8 : 0;
}
