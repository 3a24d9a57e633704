import { describe, expect, it } from 'vitest';
import { rewritePath } from './path-rewrite.ts';

describe('rewritePath', () => {
  // The table of HTTPPathModifier in Gateway API (apis/v1/httproute_types.go).
  it.each([
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/', '/foo/', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
    ['/bar', '/', '/xyz', '/xyz/bar'],
    ['/', '/', '/xyz', '/xyz/'],
  ])('%s with %s replaced by %s is %s, with or without a query', (path, matched, value, rewritten) => {
    expect(rewritePath({ kind: 'prefix', matched, value }, path)).toBe(rewritten);
    expect(rewritePath({ kind: 'prefix', matched, value }, `${path}?a=/foo`)).toBe(`${rewritten}?a=/foo`);
  });

  it('replaces the whole path and keeps the query', () => {
    expect(rewritePath({ kind: 'full', value: '/new' }, '/old/path?a=b?c')).toBe('/new?a=b?c');
    expect(rewritePath({ kind: 'full', value: '' }, '/old')).toBe('/');
  });

  it('leaves what does not have the prefix', () => {
    expect(rewritePath({ kind: 'prefix', matched: '/foo', value: '/x' }, '*')).toBe('*');
  });
});
