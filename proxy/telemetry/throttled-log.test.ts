import { expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import { ThrottledLog } from './throttled-log.ts';

test('a flood is ten lines a second, and the next second tells how many were left out', () => {
  const lines: { message: string; omitted?: number }[] = [];
  const clock = new ManualClock();
  const destination = {
    write: (line: string) => void lines.push({ message: JSON.parse(line).msg, ...JSON.parse(line) }),
  };
  const log = new ThrottledLog(createLogger('test', 'info', destination), clock);
  for (let i = 0; i < 500; i++) log.warn({ i }, 'refused');
  expect(lines).toHaveLength(10);
  clock.advance(1000);
  log.info({}, 'refused');
  log.info({}, 'refused');
  expect(lines.slice(10).map(({ message, omitted }) => [message, omitted])).toEqual([
    ['refused', 490],
    ['refused', undefined],
  ]);
});
