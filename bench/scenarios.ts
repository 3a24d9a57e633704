/** What is measured. Loads are closed loops unless a rate is given. */
import type { LoadShape } from './load.ts';
import type { Way } from './proxies/proxy.ts';

export interface Scenario {
  name: string;
  what: string;
  way: Way;
  load: (seconds: number) => LoadShape;
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'http1',
    what: 'HTTP/1.1, 32 connections, one proxy',
    way: 'http1',
    load: seconds => ({ kind: 'http1', connections: 32, seconds }),
  },
  {
    name: 'http2',
    what: 'HTTP/2, 4 connections × 8 streams, one proxy',
    way: 'http2',
    load: seconds => ({ kind: 'http2', connections: 4, streams: 8, seconds }),
  },
  {
    name: 'mtls-4x8',
    what: 'HTTP/2 over mutual TLS, 4 × 8, each of the two hops',
    way: 'mtls',
    load: seconds => ({ kind: 'http2', connections: 4, streams: 8, seconds }),
  },
  {
    name: 'mtls-1x1',
    what: 'HTTP/2 over mutual TLS, 1 × 1, each of the two hops',
    way: 'mtls',
    load: seconds => ({ kind: 'http2', connections: 1, streams: 1, seconds }),
  },
  {
    name: 'mtls-http1',
    what: 'HTTP/1.1 in and out, mutual TLS between, 32 connections, each of the two hops',
    way: 'mtls-http1',
    load: seconds => ({ kind: 'http1', connections: 32, seconds }),
  },
  {
    name: 'rate-http1',
    what: 'HTTP/1.1 at 2,000 requests/s, 32 connections, one proxy',
    way: 'http1',
    load: seconds => ({ kind: 'rate', protocol: 'http1', connections: 32, streams: 1, rate: 2000, seconds }),
  },
  {
    name: 'rate-mtls',
    what: 'HTTP/2 over mutual TLS at 2,000 requests/s, 8 × 4, through two proxies',
    way: 'mtls',
    load: seconds => ({ kind: 'rate', protocol: 'http2', connections: 8, streams: 4, rate: 2000, seconds }),
  },
];
