import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Stack } from './stack.ts';

/** After the last connection has gone, a client may still be on its way here for this long. */
const QUIET_MS = 500;
const CHECK_MS = 50;
/** After the deadline, for what is said to those that are cut off to be sent and read. */
export const CUT_OFF_MS = 1000;

/**
 * Ends all directions of a proxy together, since what is on its way in may still have to call out:
 *
 *   serving ──drain()──▶ draining ── nothing open for a moment ──▶ closed
 *                           └── deadline ──▶ cutting off ── nothing open, CUT_OFF_MS ──▶ closed
 *
 * draining: every connection is told to go (HTTP/2: GOAWAY twice, RFC 9113 §6.8; HTTP/1.1: `Connection: close`), and new ones
 * are still taken, because their clients have not heard. cutting off: requests are answered CUT_OFF or DRAINING if they have no
 * answer, streams reset, connections of bytes reset. closed: nothing is listened to any more.
 */
export async function drain(
  clock: Clock,
  log: Logger,
  stacks: Readonly<Record<string, Stack>>,
  deadlineMs: number,
): Promise<void> {
  const all = Object.values(stacks);
  for (const stack of all) stack.drain();
  const isQuiet = await quiet(clock, all, clock.now() + deadlineMs, QUIET_MS);
  for (const stack of all) stack.stopListening();
  if (isQuiet) return;
  const remaining = Object.entries(stacks).map(([name, { statistics }]) => [name, statistics]);
  log.warn(
    { deadlineMs, ...Object.fromEntries(remaining) },
    'the drain time is over: what is under way is cut off',
  );
  for (const stack of all) stack.cutOff();
  await quiet(clock, all, clock.now() + CUT_OFF_MS, 0);
}

/** Resolves with true when nothing has been open for `quietMs`, with false at the deadline. */
function quiet(clock: Clock, stacks: readonly Stack[], deadline: number, quietMs: number): Promise<boolean> {
  return new Promise(resolve => {
    let since = clock.now();
    const check = (): void => {
      const now = clock.now();
      const open = stacks.some(({ statistics }) => statistics.connections > 0);
      if (open) since = now;
      if (!open && now - since >= quietMs) resolve(true);
      else if (now >= deadline) resolve(false);
      else clock.after(CHECK_MS, check);
    };
    check();
  });
}
