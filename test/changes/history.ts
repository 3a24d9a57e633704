import type { Shop } from './shop.ts';

export interface Moment {
  readonly shop: Shop;
  readonly what: string;
  /** Before anybody was told. */
  readonly begunAt: number;
  /** When it was known to be in force in every sidecar; infinite as long as it is not. */
  inForceAt: number;
}

/** The states of a run, in order, with the times between which each may be what answers go by. */
export class History {
  readonly moments: Moment[] = [];

  /** To be called before the change is written anywhere; answers its number. */
  begin(shop: Shop, what: string, at: number): number {
    return this.moments.push({ shop, what, begunAt: at, inForceAt: Number.POSITIVE_INFINITY }) - 1;
  }

  get newest(): Shop {
    return this.moments[this.moments.length - 1].shop;
  }

  /** The state, and with it all before, is in force in every sidecar. */
  inForce(number: number, at: number): void {
    for (let i = number; i >= 0 && this.moments[i].inForceAt > at; i--) this.moments[i].inForceAt = at;
  }

  /** The last state that every sidecar had at that time. */
  oldestAt(time: number): number {
    let number = this.moments.length - 1;
    while (number > 0 && this.moments[number].inForceAt > time) number--;
    return number;
  }

  /** The last state that had begun by that time. */
  newestAt(time: number): number {
    let number = this.moments.length - 1;
    while (number > 0 && this.moments[number].begunAt > time) number--;
    return number;
  }
}
