import type { Clock } from '../../runtime/clock.ts';

/** Milliseconds per slot; deadlines are met this much late at most. */
const TICK_MS = 8;
/** Slots: 4 s. Later deadlines stay in their slot for another round. */
const SLOTS = 512;
/** The wheel stops after this many ticks without a timer, and not at once: requests come and go. */
const IDLE_TICKS = 125;

/** The deadline of what has none. */
export const NEVER = Number.POSITIVE_INFINITY;

export interface TimerOwner {
  /** The deadline has passed; the timer is not set any more. */
  onDeadline(): void;
}

/** A timer that its owner keeps and sets again and again. */
export class WheelTimer {
  readonly owner: TimerOwner;
  /** Clock time; 0 while not set. */
  deadline = 0;
  slot = -1;
  previous: WheelTimer | null = null;
  next: WheelTimer | null = null;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }
}

/**
 * Timers of all requests of the process on one timeout of the event loop: setting and clearing one costs a few stores, and
 * nothing is allocated. A hashed wheel (Varghese & Lauck, scheme 6).
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #slots: (WheelTimer | null)[] = Array.from({ length: SLOTS }, () => null);
  /** Number of the last tick that was run. */
  #tick: number;
  #count = 0;
  #idle = 0;
  #running = false;
  readonly #run = (): void => this.#advance();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#tick = Math.floor(clock.now() / TICK_MS);
  }

  /** Sets or moves the timer to a clock time (ms); {@link NEVER} clears it. */
  set(timer: WheelTimer, deadline: number): void {
    if (timer.slot !== -1) this.clear(timer);
    if (deadline === NEVER) return;
    if (!this.#running) this.#start();
    const tick = Math.max(this.#tick + 1, Math.ceil(deadline / TICK_MS));
    const slot = tick % SLOTS;
    const head = this.#slots[slot];
    timer.deadline = deadline;
    timer.slot = slot;
    timer.previous = null;
    timer.next = head;
    if (head !== null) head.previous = timer;
    this.#slots[slot] = timer;
    this.#count++;
  }

  clear(timer: WheelTimer): void {
    if (timer.slot === -1) return;
    if (timer.previous === null) this.#slots[timer.slot] = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== null) timer.next.previous = timer.previous;
    timer.slot = -1;
    timer.deadline = 0;
    timer.previous = null;
    timer.next = null;
    this.#count--;
  }

  #start(): void {
    this.#running = true;
    this.#idle = 0;
    this.#tick = Math.floor(this.#clock.now() / TICK_MS);
    this.#clock.after(TICK_MS, this.#run);
  }

  #advance(): void {
    const now = this.#clock.now();
    const last = Math.floor(now / TICK_MS);
    // After a long pause every slot is visited once, not once per missed round.
    if (last - this.#tick > SLOTS) this.#tick = last - SLOTS;
    while (this.#tick < last) {
      this.#tick++;
      this.#expire(this.#tick % SLOTS, now);
    }
    this.#idle = this.#count === 0 ? this.#idle + 1 : 0;
    this.#running = this.#idle < IDLE_TICKS;
    if (this.#running) this.#clock.after(TICK_MS, this.#run);
  }

  #expire(slot: number, now: number): void {
    let timer = this.#slots[slot];
    while (timer !== null) {
      if (timer.deadline > now) {
        timer = timer.next;
        continue;
      }
      const { owner } = timer;
      this.clear(timer);
      owner.onDeadline();
      // The owner may have set or cleared any other timer of this slot: begin again.
      timer = this.#slots[slot];
    }
  }
}
