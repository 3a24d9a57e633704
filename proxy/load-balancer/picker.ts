import type { BalancingPolicy } from '../cluster/cluster-config.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import type { EndpointView, PriorityLevel } from '../cluster/endpoint-view.ts';
import { leastRequest } from './least-request.ts';
import { peakEwma } from './peak-ewma.ts';
import { randomChoice } from './random-choice.ts';
import { roundRobin } from './round-robin.ts';

/** Chooses an endpoint of one level; null if all of them are busy with a probe or were tried. */
export type LevelPicker = (
  level: PriorityLevel,
  view: EndpointView,
  tried: readonly Endpoint[],
  random: () => number,
  now: number,
) => Endpoint | null;

export interface Picker {
  /**
   * An endpoint of the view, in constant time and without allocation; null only if the view is empty. Endpoints in
   * `tried`, and those that prove themselves after an ejection with an attempt in flight, are avoided while there are
   * others, also if these have a lower priority. `random` gives numbers in [0, 1); `now` is the clock's time.
   */
  pick(view: EndpointView, tried: readonly Endpoint[], random: () => number, now: number): Endpoint | null;
}

const policies: Readonly<Record<BalancingPolicy, LevelPicker>> = {
  'peak-ewma': peakEwma,
  'least-request': leastRequest,
  'round-robin': roundRobin,
  random: randomChoice,
};

const NONE: readonly Endpoint[] = [];

export function createPicker(policy: BalancingPolicy): Picker {
  const pickIn = policies[policy];
  return {
    pick(view, tried, random, now) {
      const { levels } = view;
      if (levels.length === 0) return null;
      const first = levels.length === 1 ? 0 : chooseLevel(view, random());
      const picked = pickIn(levels[first], view, tried, random, now);
      if (picked !== null) return picked;
      for (let i = 0; i < levels.length; i++) {
        if (i === first) continue;
        const other = pickIn(levels[i], view, tried, random, now);
        if (other !== null) return other;
      }
      return pickIn(levels[first], view, NONE, random, now) ?? pickAny(levels[first], random);
    },
  };
}

function chooseLevel(view: EndpointView, random: number): number {
  const { shares } = view;
  let i = 0;
  while (i < shares.length - 1 && random >= shares[i]) i++;
  return i;
}

/** The last resort: every endpoint is a probe with an attempt in flight. */
function pickAny(level: PriorityLevel, random: () => number): Endpoint {
  return level.endpoints[Math.floor(random() * level.endpoints.length)];
}
