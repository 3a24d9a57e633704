import type { NameSet } from './name-set.ts';

/**
 * Which half of a push is being written. Additions go first, over all types; what is removed follows when nothing refers
 * to it any more (XDS.md §4.3).
 */
export type Phase = 'additions' | 'removals';

export interface Response {
  readonly bytes: Buffer;
  /** Names of the resources in it. */
  readonly names: readonly string[];
  readonly removed: number;
}

/** What a client answered to a response. */
export type Answer =
  | { readonly kind: 'none' }
  | { readonly kind: 'ack'; readonly sentAt: number }
  | { readonly kind: 'nack'; readonly error: string; readonly names: readonly string[] };

/** State of one type on one stream. At most one response is on its way; what changes meanwhile is sent as it is then. */
export interface Subscription<Request> {
  readonly names: NameSet;
  /** Something waits to be sent. */
  readonly isPending: boolean;
  /** Nothing waits to be sent, and the client has answered to everything that was. */
  readonly isSettled: boolean;
  receive(request: Request): Answer;
  /** The next response, or null if there is nothing to say or one is on its way. */
  flush(phase: Phase, now: number): Response | null;
  /** Sends the resource again although the client has it. */
  force(name: string): void;
}
