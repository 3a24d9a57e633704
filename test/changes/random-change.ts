/** Random changes of the shop, one object each, as somebody makes them who edits, deletes and creates again. */
import type { Random } from '../fuzz/http1/random.ts';
import { type Back, backs, type PodPlace, type Rule, type Shop } from './shop.ts';

/** Always there; the others come and go. */
export const LASTING = ['front-1', 'front-2'] as const;
export const FRONTS = [...LASTING, 'front-3', 'front-4'] as const;
const ROUTES = ['rules-1', 'rules-2', 'rules-3'] as const;

/** Shares of back-a, back-b and back-c; null: not named. Only the last may be a backend that does not exist. */
const weights: readonly (readonly [number | null, number | null, number | null])[] = [
  [100, 0, null],
  [0, 100, null],
  [50, 50, null],
  [90, 10, null],
  [1, null, null],
  [null, 1, null],
  [1, 0, 1],
  [0, 1, 0],
  [null, null, 1],
];

export class RandomChange {
  readonly #random: Random;
  readonly #newAddress: () => string;
  readonly #running: () => readonly PodPlace[];
  #ids = 0;

  /**
   * `newAddress`: of a Service in front that is created, one that was not in use before. `running`: pods that may be
   * endpoints.
   */
  constructor(random: Random, newAddress: () => string, running: () => readonly PodPlace[]) {
    this.#random = random;
    this.#newAddress = newAddress;
    this.#running = running;
  }

  /** Every Service is there, and every route is on a Service of its own. */
  first(): Shop {
    return {
      fronts: Object.fromEntries(FRONTS.map(name => [name, this.#front()])),
      rules: Object.fromEntries(ROUTES.map((route, i) => [FRONTS[i], this.#rule(route, this.#uid(), 1)])),
      backs: { 'back-a': this.#uid(), 'back-b': this.#uid(), 'back-c': this.#uid() },
      pods: this.#running(),
    };
  }

  /** Everything that has gone is there again, and all rules are new ones: what every sidecar must come to. */
  last(shop: Shop): Shop {
    const fronts = FRONTS.map(name => [name, shop.fronts[name] ?? this.#front()]);
    const rules = Object.entries(shop.rules).map(([front, { route, uid, generation }]) => [
      front,
      this.#rule(route, uid, generation + 1),
    ]);
    return {
      fronts: Object.fromEntries(fronts),
      rules: Object.fromEntries(rules),
      backs: { 'back-c': this.#uid(), ...shop.backs },
      pods: this.#running(),
    };
  }

  /** The shop after a change, and what the change is, for people. */
  next(shop: Shop): { shop: Shop; what: string } {
    const change = this.#random.below(100);
    if (change < 30) return this.edit(shop);
    if (change < 42) return this.#changeEndpoints(shop);
    if (change < 52) return this.#moveRoute(shop);
    if (change < 64) return this.#replaceRoute(shop);
    if (change < 76) return this.#deleteOrCreateRoute(shop);
    if (change < 90) return this.#deleteOrCreateFront(shop);
    return this.#deleteOrCreateBack(shop);
  }

  /** Each version keeps one at least. */
  #changeEndpoints(shop: Shop): { shop: Shop; what: string } {
    const running = this.#running();
    const pods = (['v1', 'v2'] as const).flatMap(of => {
      const members = running.filter(({ version }) => version === of);
      const kept = members.filter(() => this.#random.below(2) === 0);
      return kept.length > 0 ? kept : [this.#random.pick(members)];
    });
    return { shop: { ...shop, pods }, what: `endpoints are ${pods.map(({ name }) => name).join(', ')}` };
  }

  #uid(): string {
    return `uid-${++this.#ids}`;
  }

  #front(): Shop['fronts'][string] {
    return { uid: this.#uid(), address: this.#newAddress() };
  }

  #rule(route: string, uid: string, generation: number): Rule {
    const shares = this.#random.pick(weights);
    const named = (Object.keys(backs) as Back[]).flatMap((name, i) => {
      const share = shares[i];
      return share === null ? [] : [[name, share] as const];
    });
    return { route, uid, generation, id: ++this.#ids, weights: Object.fromEntries(named) };
  }

  /** Other weights. */
  edit(shop: Shop, front = this.#random.pick(Object.keys(shop.rules))): { shop: Shop; what: string } {
    // Without any rule there is no front to pick.
    if (front === undefined) return this.#deleteOrCreateRoute(shop);
    const { route, uid, generation } = shop.rules[front];
    const rule = this.#rule(route, uid, generation + 1);
    return { shop: withRule(shop, front, rule), what: `edit ${route} on ${front}: rule ${rule.id}` };
  }

  /** Another Service, where no route is. */
  #moveRoute(shop: Shop): { shop: Shop; what: string } {
    const free = FRONTS.filter(front => shop.rules[front] === undefined);
    const attached = Object.entries(shop.rules);
    if (free.length === 0 || attached.length === 0) return this.edit(shop);
    const [from, { route, uid, generation }] = this.#random.pick(attached);
    const to = this.#random.pick(free);
    const rule = this.#rule(route, uid, generation + 1);
    return {
      shop: withRule(withoutRule(shop, from), to, rule),
      what: `move ${route} from ${from} to ${to}: rule ${rule.id}`,
    };
  }

  /** Deleted and created again under its name at once: generation 1, of another object. */
  #replaceRoute(shop: Shop): { shop: Shop; what: string } {
    const attached = Object.entries(shop.rules);
    if (attached.length === 0) return this.#deleteOrCreateRoute(shop);
    const [front, { route }] = this.#random.pick(attached);
    const rule = this.#rule(route, this.#uid(), 1);
    return { shop: withRule(shop, front, rule), what: `replace ${route} on ${front}: rule ${rule.id}` };
  }

  #deleteOrCreateRoute(shop: Shop): { shop: Shop; what: string } {
    const held = new Map(Object.entries(shop.rules).map(([front, { route }]) => [route, front]));
    const route = this.#random.pick(ROUTES);
    const front = held.get(route);
    if (front !== undefined) return { shop: withoutRule(shop, front), what: `delete ${route} of ${front}` };
    const to = this.#random.pick(FRONTS.filter(name => shop.rules[name] === undefined));
    const rule = this.#rule(route, this.#uid(), 1);
    return { shop: withRule(shop, to, rule), what: `create ${route} on ${to}: rule ${rule.id}` };
  }

  #deleteOrCreateFront(shop: Shop): { shop: Shop; what: string } {
    const name = this.#random.pick(FRONTS.slice(LASTING.length));
    const { [name]: held, ...others } = shop.fronts;
    if (held !== undefined) return { shop: { ...shop, fronts: others }, what: `delete ${name}` };
    const front = this.#front();
    return {
      shop: { ...shop, fronts: { ...others, [name]: front } },
      what: `create ${name} with another address`,
    };
  }

  #deleteOrCreateBack(shop: Shop): { shop: Shop; what: string } {
    const { 'back-c': held, ...others } = shop.backs;
    return held === undefined
      ? { shop: { ...shop, backs: { ...others, 'back-c': this.#uid() } }, what: 'create back-c' }
      : { shop: { ...shop, backs: others }, what: 'delete back-c' };
  }
}

function withRule(shop: Shop, front: string, rule: Rule): Shop {
  return { ...shop, rules: { ...shop.rules, [front]: rule } };
}

function withoutRule(shop: Shop, front: string): Shop {
  const { [front]: _gone, ...rules } = shop.rules;
  return { ...shop, rules };
}
