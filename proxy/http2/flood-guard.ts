/** Counts what a peer may do only so often: control frames that cost it nothing and us work. */
import type { FloodLimit, Http2Limits } from './limits.ts';

/** WINDOW_UPDATE frames that each DATA frame sent may bring in. */
const UPDATES_PER_DATA = 10;

export class FloodGuard {
  readonly #limits: Readonly<Http2Limits>;
  #intervalStart: number;
  #resets = 0;
  #emptyData = 0;
  #settings = 0;
  #pings = 0;
  #priorities = 0;
  #windowUpdates = 0;

  constructor(limits: Readonly<Http2Limits>, nowMs: number) {
    this.#limits = limits;
    this.#intervalStart = nowMs;
  }

  /** Counts one event. True if it is one too many. */
  exceeds(kind: FloodLimit): boolean {
    switch (kind) {
      case 'resets':
        return ++this.#resets > this.#limits.resets;
      case 'emptyData':
        return ++this.#emptyData > this.#limits.emptyData;
      case 'settings':
        return ++this.#settings > this.#limits.settings;
      case 'pings':
        return ++this.#pings > this.#limits.pings;
      case 'priorities':
        return ++this.#priorities > this.#limits.priorities;
      case 'windowUpdates':
        return ++this.#windowUpdates > this.#limits.windowUpdates;
    }
  }

  /** A DATA frame was sent. */
  dataSent(): void {
    this.#windowUpdates -= UPDATES_PER_DATA;
  }

  tick(nowMs: number): void {
    if (nowMs - this.#intervalStart < this.#limits.intervalMs) return;
    this.#intervalStart = nowMs;
    this.#resets = 0;
    this.#emptyData = 0;
    this.#settings = 0;
    this.#pings = 0;
    this.#priorities = 0;
    this.#windowUpdates = 0;
  }
}
