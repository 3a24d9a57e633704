import { expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { TimerWheel, WheelTimer } from './timer-wheel.ts';

function recorded(name: string, fired: string[]): WheelTimer {
  return new WheelTimer({ onDeadline: () => fired.push(name) });
}

test('fires once, at the deadline or at most one tick later', () => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const fired: string[] = [];
  wheel.set(recorded('a', fired), 100);
  clock.advance(99);
  expect(fired).toEqual([]);
  clock.advance(9);
  expect(fired).toEqual(['a']);
  clock.advance(10_000);
  expect(fired).toEqual(['a']);
});

test('keeps deadlines beyond one round of the wheel', () => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const fired: string[] = [];
  wheel.set(recorded('late', fired), 15_000);
  clock.advance(14_990);
  expect(fired).toEqual([]);
  clock.advance(20);
  expect(fired).toEqual(['late']);
});

test('a cleared timer never fires, a moved one only at its new deadline', () => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const fired: string[] = [];
  const cleared = recorded('cleared', fired);
  const moved = recorded('moved', fired);
  const neighbour = recorded('neighbour', fired);
  wheel.set(cleared, 50);
  wheel.set(moved, 50);
  wheel.set(neighbour, 50);
  wheel.clear(cleared);
  wheel.set(moved, 200);
  clock.advance(60);
  expect(fired).toEqual(['neighbour']);
  clock.advance(150);
  expect(fired).toEqual(['neighbour', 'moved']);
});

test('an owner may clear and set timers of the same slot while it fires', () => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const fired: string[] = [];
  const second = recorded('second', fired);
  const again: WheelTimer = new WheelTimer({
    onDeadline: () => {
      fired.push('first');
      wheel.clear(second);
      if (fired.length < 3) wheel.set(again, clock.now());
    },
  });
  wheel.set(second, 20);
  wheel.set(again, 20);
  clock.advance(100);
  expect(fired).toEqual(['first', 'first', 'first']);
});

test('stops when nothing is set and starts again', () => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const fired: string[] = [];
  wheel.set(recorded('a', fired), 10);
  clock.advance(60_000);
  wheel.set(recorded('b', fired), clock.now() + 100);
  clock.advance(110);
  expect(fired).toEqual(['a', 'b']);
});
