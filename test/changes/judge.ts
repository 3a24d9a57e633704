/**
 * Judges every answer by the states that may have been in force while it was made: from the last one that every sidecar was
 * known to have when the request began, to the newest that had begun when the answer ended. Besides, time does not run
 * backwards: what a sidecar has once answered by a rule is not answered by an older one afterwards.
 */
import type { FailureCode } from '../../api/failure.ts';
import type { History } from './history.ts';
import { type Back, backs, type Rule, type Shop } from './shop.ts';

export interface Call {
  /** Whose sidecar it goes through. */
  readonly client: string;
  /** A Service in front, by its name; or an address that one has or had. */
  readonly host: string;
  readonly beganAt: number;
}

export interface Answered {
  readonly endedAt: number;
  /** 0 if there was no answer; then `error` says why. */
  readonly status: number;
  readonly error: string;
  /** The fields `x-rule` and `x-back`, '' without. */
  readonly rule: string;
  readonly back: string;
  /** Of the application that answered, '' if none did. */
  readonly pod: string;
  readonly version: string;
}

export interface Verdicts {
  /** Answers by what they were: `200 by a rule`, `503 CONNECT_FAILED`. */
  readonly tally: Readonly<Record<string, number>>;
  /** The first of those that no state explains. */
  readonly wrong: readonly string[];
  /** All of those by what they were. */
  readonly wrongTally: Readonly<Record<string, number>>;
}

const KEPT = 10;

/** What a call to an address meets that belongs to no Service any more: nothing is there. */
const absent: readonly string[] = ['CONNECT_FAILED', 'CONNECT_TIMEOUT'] satisfies FailureCode[];

export class Judge {
  readonly #history: History;
  readonly #isFolder: boolean;
  /** Number of the oldest state by which a client's calls of a host may still be answered. */
  readonly #floors = new Map<string, number>();
  readonly #tally: Record<string, number> = {};
  readonly #wrong: string[] = [];
  readonly #wrongTally: Record<string, number> = {};
  #shown = 0;

  /**
   * `isFolder`: the pods of a state are its endpoints, and no others may answer; and nothing is at an address that belongs to
   * no Service. On a cluster kube-proxy may still, or already, carry bytes from there to pods, past all rules.
   */
  constructor(history: History, isFolder: boolean) {
    this.#history = history;
    this.#isFolder = isFolder;
  }

  get verdicts(): Verdicts {
    return { tally: this.#tally, wrong: this.#wrong, wrongTally: this.#wrongTally };
  }

  /** The newest state that an answer has shown. */
  get shown(): number {
    return this.#shown;
  }

  /** The newest state that answers to a client's calls of a host have shown. */
  shownTo(client: string, host: string): number {
    return this.#floors.get(`${client} ${host}`) ?? 0;
  }

  /** To be called when the request begins; answers the state that its client has shown already, for {@link end}. */
  begin({ client, host }: Call): number {
    return this.shownTo(client, host);
  }

  /** A state of the rules on a host is in force for the client: its further calls are answered by it, or by a later one. */
  inForce(client: string, host: string, number: number): void {
    this.#raise(`${client} ${host}`, number);
  }

  /** Begins and ends must come in the order of time. */
  end(call: Call, shown: number, answered: Answered): void {
    const oldest = this.#history.oldestAt(call.beganAt);
    const newest = this.#history.newestAt(answered.endedAt);
    // Endpoints and backends arrive apart from rules.
    const around = this.#history.moments.slice(oldest, newest + 1).map(({ shop }) => shop);
    const floor = Math.max(oldest, shown);
    let explained = this.#isEndpoint(around, answered) ? floor : newest + 1;
    while (
      explained <= newest &&
      !this.#explains(this.#history.moments[explained].shop, around, call.host, answered)
    )
      explained++;
    count(this.#tally, answered);
    if (explained > newest) this.#refuse(call, answered, floor, newest);
    else this.#raise(`${call.client} ${call.host}`, explained);
  }

  #explains(shop: Shop, around: readonly Shop[], host: string, answered: Answered): boolean {
    const passedOn = !this.#isFolder && answered.status === 200 && answered.rule === '';
    return (passedOn && frontAt(shop, host) === null) || explains(shop, around, host, answered);
  }

  #isEndpoint(around: readonly Shop[], { pod }: Answered): boolean {
    if (!this.#isFolder || pod === '') return true;
    return around.some(({ pods }) => pods.some(({ name }) => name === pod));
  }

  #raise(id: string, number: number): void {
    if (number > (this.#floors.get(id) ?? 0)) this.#floors.set(id, number);
    this.#shown = Math.max(this.#shown, number);
  }

  #refuse(call: Call, answered: Answered, floor: number, newest: number): void {
    count(this.#wrongTally, answered);
    if (this.#wrong.length === KEPT) return;
    const states = [];
    for (let i = floor; i <= newest; i++) {
      const { what, begunAt, inForceAt } = this.#history.moments[i];
      const rule = ruleAt(this.#history.moments[i].shop, call.host);
      const held = rule === null ? 'no rule' : `${rule.id} ${JSON.stringify(rule.weights)}`;
      states.push(`${i} (${what}; begun ${Math.round(begunAt)}, in force ${Math.round(inForceAt)}; ${held})`);
    }
    this.#wrong.push(`${JSON.stringify({ ...call, ...answered })} in states ${states.join(', ')}`);
  }
}

function count(tally: Record<string, number>, { status, error, rule }: Answered): void {
  const name = status === 200 ? `200 ${rule === '' ? 'without' : 'by'} a rule` : `${status} ${error}`;
  tally[name] = (tally[name] ?? 0) + 1;
}

/** Whether the answer may come of this state of the rules, with the backends and endpoints of one of the states around. */
function explains(shop: Shop, around: readonly Shop[], host: string, answered: Answered): boolean {
  const front = frontAt(shop, host);
  const { status, error, rule, back, version } = answered;
  if (front === null) return status === 0 || (status === 503 && absent.includes(error));
  const held = shop.rules[front];
  if (held === undefined) return status === 200 && rule === '';
  if (status === 200) {
    const chosen = weightOf(held, back) > 0 && version === backs[back as Back];
    return rule === String(held.id) && chosen;
  }
  const missing = around.some(shop => shop.backs['back-c'] === undefined);
  return status === 500 && error === 'INVALID_BACKEND' && weightOf(held, 'back-c') > 0 && missing;
}

function weightOf(rule: Rule, back: string): number {
  return rule.weights[back as Back] ?? 0;
}

/** The Service in front that a host is the name or the address of; null if there is none. */
function frontAt(shop: Shop, host: string): string | null {
  if (shop.fronts[host] !== undefined) return host;
  for (const [name, { address }] of Object.entries(shop.fronts)) if (address === host) return name;
  return null;
}

function ruleAt(shop: Shop, host: string): Rule | null {
  const front = frontAt(shop, host);
  return front === null ? null : (shop.rules[front] ?? null);
}
