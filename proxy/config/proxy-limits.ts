import { type LimitOverrides, type LimitValues, limitValues } from '../../api/limits.ts';
import type { Http1Limits } from '../http1/limits.ts';
import type { Http2Limits } from '../http2/limits.ts';

/** All limits of a process, by whom they hold for. */
export interface ProxyLimits {
  readonly connections: LimitValues<'connections'>;
  readonly requests: LimitValues<'requests'>;
  readonly http1: Http1Limits;
  /** Applications, and any client on a plaintext port. */
  readonly http2: Http2Limits;
  /** Sidecars that have proved to be one. */
  readonly mesh: Http2Limits;
}

export function proxyLimits(overrides?: LimitOverrides): ProxyLimits {
  return {
    connections: limitValues('connections', 'any', overrides),
    requests: limitValues('requests', 'any', overrides),
    http1: limitValues('http1', 'any', overrides),
    http2: limitValues('http2', 'any', overrides),
    mesh: limitValues('http2', 'mesh', overrides),
  };
}
