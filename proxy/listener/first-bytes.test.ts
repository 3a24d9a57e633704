import { expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { TimerWheel } from '../exchange/timer-wheel.ts';
import { FirstBytes } from './first-bytes.ts';

function lookFor(word: string, timeoutMs: number) {
  const clock = new ManualClock();
  const settled: [verdict: string | null, bytes: string, ended: boolean][] = [];
  const stage = new FirstBytes<string>(
    clock,
    new TimerWheel(clock),
    { detectTimeoutMs: timeoutMs, headTimeoutMs: 10_000, idleTimeoutMs: 3_600_000 },
    bytes => (bytes.toString().startsWith(word) ? word : null),
    (verdict, bytes, ended) => settled.push([verdict, bytes.toString(), ended]),
  );
  return { clock, stage, settled };
}

test('pieces are put together, and the whole is handed on once', () => {
  const { stage, settled } = lookFor('hello', 1000);
  const lent = Buffer.from('he');
  stage.receive(lent);
  lent.fill('x');
  stage.receive(Buffer.from('l'));
  expect(settled).toEqual([]);
  stage.receive(Buffer.from('lo world'));
  stage.receive(Buffer.from('late'));
  stage.onDeadline();
  expect(settled[0]).toEqual(['hello', 'hello world', false]);
});

test('the timeout decides, with what there is', () => {
  const { clock, stage, settled } = lookFor('hello', 1000);
  stage.receive(Buffer.from('he'));
  clock.advance(1020);
  expect(settled).toEqual([[null, 'he', false]]);
});

test('the end of the client decides', () => {
  const { stage, settled } = lookFor('hello', 1000);
  stage.receiveEnd();
  expect(settled).toEqual([[null, '', true]]);
});

test('a patient look waits for the first byte, and then 10 s for the others', () => {
  const { clock, stage, settled } = lookFor('hello', Number.POSITIVE_INFINITY);
  clock.advance(600_000);
  stage.receive(Buffer.from('h'));
  clock.advance(5000);
  stage.receive(Buffer.from('e'));
  clock.advance(4900);
  expect(settled).toEqual([]);
  clock.advance(200);
  expect(settled).toEqual([[null, 'he', false]]);
});

test('nothing is told after the connection has closed', () => {
  const { clock, stage, settled } = lookFor('hello', 1000);
  stage.closed();
  clock.advance(2000);
  expect(settled).toEqual([]);
});
