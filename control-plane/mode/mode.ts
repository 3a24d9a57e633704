import type { AuthorityStore } from '../identity/authority-store.ts';
import type { TokenReviewer } from '../identity/token-review.ts';
import type { Changes } from '../status/in-force.ts';

/** What differs between a cluster and a directory: where objects, the authority and the proof of a workload come from. */
export interface Mode {
  readonly authority: AuthorityStore;
  readonly reviewer: TokenReviewer;
  /** Begins to fill the store. `whenInForce` resolves when the newest mesh is in force, or soon after. */
  start(whenInForce: () => Promise<void>): Promise<void>;
  /** What has been read, to compare with other replicas. */
  changes(): Changes;
  hasRead(changes: Changes): boolean;
  /** Admin ports of the other replicas, `<address>:<port>`. */
  replicas(): readonly string[];
  /** The roots of the mesh, PEM, as they are now; called again after every change. */
  publishRoots(bundle: string): void;
  stop(): Promise<void>;
}
