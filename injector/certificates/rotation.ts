/**
 * When authorities and serving certificates are made, used and dropped. An authority lives in three steps: it is
 * published in the caBundle; after the overlap it signs; when it has expired it is dropped. So every certificate that is
 * in use, on any replica, is signed by an authority that every API server has known for a while.
 */

/** Unix milliseconds. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface RotationTimes {
  authorityLifeMs: number;
  servingLifeMs: number;
  /** From the publication of an authority to its first signature. */
  overlapMs: number;
}

const DAY_MS = 86_400_000;

export const defaultTimes: RotationTimes = {
  authorityLifeMs: 365 * DAY_MS,
  servingLifeMs: 7 * DAY_MS,
  overlapMs: 300_000,
};

export interface RotationPlan<T> {
  /** To be published, oldest first; expired ones are left out. */
  keep: T[];
  /** Signs now; null if there is no authority. */
  issuer: T | null;
  /** A new authority is needed: there is none, or the newest is past two thirds of its life. */
  create: boolean;
}

/** What is to be done with the authorities that there are. */
export function planAuthorities<T extends Validity>(
  authorities: readonly T[],
  now: number,
  times: RotationTimes,
): RotationPlan<T> {
  const keep = authorities.filter(({ notAfter }) => notAfter > now).sort((a, b) => a.notBefore - b.notBefore);
  const newest = keep.at(-1);
  const published = keep.filter(({ notBefore }) => notBefore + times.overlapMs <= now);
  return {
    keep,
    issuer: published.at(-1) ?? keep[0] ?? null,
    create: newest === undefined || newest.notBefore + (newest.notAfter - newest.notBefore) * (2 / 3) <= now,
  };
}

/** A serving certificate is renewed at half of its life. */
export function renewalDue(certificate: Validity, now: number): boolean {
  return now >= certificate.notBefore + (certificate.notAfter - certificate.notBefore) / 2;
}
