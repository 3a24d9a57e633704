/** What a token proves. Reviewers: Kubernetes (TokenReview) and a file of hashes. */

export interface ProvenWorkload {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
}

export type TokenReview =
  | { readonly kind: 'proven'; readonly workload: ProvenWorkload }
  /** The token proves nothing here; `reason` has the remedy and never the token. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nobody could tell; the caller tries again. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface TokenReviewer {
  review(token: string): Promise<TokenReview>;
}
