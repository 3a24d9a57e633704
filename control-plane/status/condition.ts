/** Conditions as the API has them (meta/v1 Condition), and how they are written without touching those of others. */

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** `metadata.generation` of the object that the condition is about. */
  readonly observedGeneration?: number;
  /** RFC 3339; when `status` last became what it is. */
  readonly lastTransitionTime: string;
}

export type WantedCondition = Omit<Condition, 'lastTransitionTime'>;

/** What the API server takes in one message (maxLength of Condition.message). */
const MAX_MESSAGE = 32_768;

export function condition(
  type: string,
  holds: boolean,
  reason: string,
  message: string,
  observedGeneration: number,
): WantedCondition {
  const short = message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - 3)}...`;
  return { type, status: holds ? 'True' : 'False', reason, message: short, observedGeneration };
}

/**
 * `held` with the wanted conditions in it. Conditions of types that are not `owned` stay as they are; owned ones that are
 * not wanted go. The time changes with the status only (API conventions, typical status properties).
 */
export function mergeConditions(
  held: readonly Condition[],
  wanted: readonly WantedCondition[],
  owned: readonly string[],
  now: string,
): Condition[] {
  const timed = wanted.map(condition => {
    const before = held.find(other => other.type === condition.type);
    const since = before?.status === condition.status ? before.lastTransitionTime : now;
    return { ...condition, lastTransitionTime: since };
  });
  const kept = held.flatMap(before => {
    if (!owned.includes(before.type)) return [before];
    return timed.filter(condition => condition.type === before.type);
  });
  return [...kept, ...timed.filter(condition => !held.some(({ type }) => type === condition.type))];
}

/** Unix milliseconds as the API writes times: to the second. */
export function timestamp(unix: number): string {
  return new Date(unix).toISOString().replace(/\.\d+Z$/, 'Z');
}
