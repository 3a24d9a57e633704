import { type LimitValues, limitValues } from '../../api/limits.ts';

/** Limits of one HTTP/1.1 connection. Each name is also the label under which `onLimit` counts it. */
export type Http1Limits = LimitValues<'http1'>;

export const DEFAULT_HTTP1_LIMITS: Http1Limits = limitValues('http1');
