import { Agent, request } from 'undici';
import type { Changes } from './in-force.ts';

/** A replica that is gone and still listed must not hold up the others for long. */
const CONNECT_MS = 1000;
/** Longer than the replica itself takes before it gives up. */
const ANSWER_MS = 12_000;

export interface Replicas {
  /** Asks a replica's admin port to answer when it has come as far as `changes`; rejects if it cannot be asked. */
  ask(replica: string, changes: Changes): Promise<void>;
  close(): Promise<void>;
}

/** Other replicas of the control plane, by their admin ports. */
export function replicas(): Replicas {
  const dispatcher = new Agent({ connect: { timeout: CONNECT_MS }, headersTimeout: ANSWER_MS });
  return {
    async ask(replica, changes) {
      const query = new URLSearchParams(changes).toString();
      const { body } = await request(`http://${replica}/in-force?${query}`, { dispatcher });
      await body.dump();
    },
    close: () => dispatcher.destroy(),
  };
}
