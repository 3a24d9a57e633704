/** The sidecar's own certificate and the roots it trusts, as the data path uses them. */
import type { SecureContext } from 'node:tls';

export interface Identity {
  /** Grows with every new certificate or bundle; connections of older generations are drained. */
  readonly generation: number;
  /** Own SPIFFE ID. */
  readonly spiffe: string;
  /** TLS 1.3 with own certificate, key and the trust bundle as CA; for both client and server sides. */
  readonly context: SecureContext;
  /** Unix milliseconds at which the certificate ends. */
  readonly notAfter: number;
}

export interface IdentitySource {
  /** null until the first certificate has been issued. */
  readonly current: Identity | null;
  /** Called after every change; returns what ends it. */
  subscribe(listener: (identity: Identity) => void): () => void;
}

/**
 * The single SPIFFE URI of a peer's certificate, read from its DER (RFC 5280 §4.2.1.6), or why there is none.
 * Implemented in `peer-certificate.ts`; resumed sessions show no certificate and are refused.
 */
export type PeerIdentity =
  | { readonly kind: 'spiffe'; readonly uri: string }
  | { readonly kind: 'none'; readonly reason: string };
