import type { AuthorityStore } from '../identity/authority-store.ts';
import type { TokenReviewer } from '../identity/token-review.ts';

/** What differs between a cluster and a directory: where objects, the authority and the proof of a workload come from. */
export interface Mode {
  readonly authority: AuthorityStore;
  readonly reviewer: TokenReviewer;
  /** Begins to fill the store. `whenInForce` calls back when the newest mesh is in force, or soon after. */
  start(whenInForce: (callback: () => void) => void): Promise<void>;
  /** The roots of the mesh, PEM, as they are now; called again after every change. */
  publishRoots(bundle: string): void;
  stop(): Promise<void>;
}
