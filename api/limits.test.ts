import { expect, test } from 'vitest';
import { type Limit, limits, limitValues, parseLimits } from './limits.ts';

const all = Object.entries(limits) as [string, Limit][];

test('every default lies within its range, and is what the setting may say', () => {
  for (const [name, limit] of all) {
    for (const value of [limit.default, limit.mesh ?? limit.default]) {
      expect([name, value >= limit.min && value <= limit.max]).toEqual([name, true]);
    }
    expect(parseLimits(`${name}=${limit.default}`)).toEqual({ value: new Map([[name, limit.default]]) });
    if (limit.mesh !== undefined) expect(limit.of).toContain('http2');
  }
});

test('each limit reaches the values of its scope, and of no other', () => {
  for (const [name, limit] of all) {
    for (const scope of ['connections', 'requests', 'http1', 'http2'] as const) {
      const { value } = parseLimits(`${name}=${limit.max}`) as { value: Map<string, number> };
      expect((limitValues(scope, 'any', value) as Record<string, number>)[name]).toBe(
        limit.of.includes(scope) ? limit.max : undefined,
      );
    }
  }
});

test('a link between sidecars has its own value, else its own default, else the one of all', () => {
  const value = (raw: string): Map<string, number> =>
    (parseLimits(raw) as { value: Map<string, number> }).value;
  expect(limitValues('http2', 'mesh').resets).toBe(100_000);
  expect(limitValues('http2', 'mesh', value('resets=5')).resets).toBe(100_000);
  expect(limitValues('http2', 'mesh', value('resets=5, mesh.resets=7')).resets).toBe(7);
  expect(limitValues('http2', 'mesh', value('pings=5')).pings).toBe(5);
  expect(limitValues('http2', 'any', value('mesh.pings=5')).pings).toBe(1000);
});

test.each([
  ['maxHeads=1', '"maxHeads=1" is neither'],
  ['maxHeadBytes', 'an integer from 1024 to 1048576 for maxHeadBytes'],
  ['maxHeadBytes=1e5', 'an integer from'],
  ['maxHeadBytes=-1', 'an integer from'],
  ['maxHeadBytes=1023', 'an integer from'],
  ['maxHeadBytes=2048=1', 'is neither'],
  ['mesh.maxHeadBytes=2048', 'is neither'],
  ['pings=10,__proto__=1', '"__proto__=1" is neither'],
])('%s is refused with what would be right', (raw, remedy) => {
  expect(parseLimits(raw)).toEqual({ remedy: expect.stringContaining(remedy) });
});
