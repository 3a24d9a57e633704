import type { Clock } from '../../runtime/clock.ts';

/** Peers that are remembered; the one that was seen longest ago is forgotten first. */
const MAX_PEERS = 10_000;

interface Bucket {
  tokens: number;
  at: number;
}

/** A token bucket per peer: `burst` at once, then `perSecond`. Answers whether one more is allowed. */
export function createRateLimit(
  options: { burst: number; perSecond: number },
  clock: Clock,
): (peer: string) => boolean {
  const buckets = new Map<string, Bucket>();
  return peer => {
    const now = clock.now();
    const bucket = buckets.get(peer) ?? { tokens: options.burst, at: now };
    bucket.tokens = Math.min(options.burst, bucket.tokens + ((now - bucket.at) / 1000) * options.perSecond);
    bucket.at = now;
    buckets.delete(peer);
    buckets.set(peer, bucket);
    if (buckets.size > MAX_PEERS) buckets.delete(buckets.keys().next().value as string);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  };
}
