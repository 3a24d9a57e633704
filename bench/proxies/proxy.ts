/** What a benchmark needs of a proxy. */
import { backend, proxyPorts } from '../addresses.ts';
import type { Certificates, KeyPair } from '../certificates.ts';
import type { Target } from '../load/load.ts';

/** Ways to the backend: through one proxy, or (`mtls`) through two that speak mutual TLS with one another. */
export type Way = 'http1' | 'http2' | 'mtls' | 'mtls-http1' | 'mtls-tcp' | 'mtls-grpc';

/** What one process of a way listens for and speaks. */
export interface Hop {
  port: number;
  in: 'http1' | 'http2' | 'grpc' | 'tcp';
  out: 'http1' | 'http2' | 'grpc' | 'tcp';
  /** The side that is mutual TLS. */
  tls: 'none' | 'in' | 'out';
  upstream: Target;
}

/** Hops of a way, the client's first, for proxies that are one program with one configuration file a hop. */
export function hops(way: Way, host: string): Hop[] {
  const client = { port: proxyPorts.client, upstream: { host, port: proxyPorts.server } };
  const server = { port: proxyPorts.server };
  const http1 = { host: backend.host, port: backend.http1 };
  const http2 = { host: backend.host, port: backend.http2 };
  const echo = { host: backend.host, port: backend.echo };
  const grpc = { host: backend.host, port: backend.grpc };
  switch (way) {
    case 'http1':
      return [{ ...client, in: 'http1', out: 'http1', tls: 'none', upstream: http1 }];
    case 'http2':
      return [{ ...client, in: 'http2', out: 'http2', tls: 'none', upstream: http2 }];
    case 'mtls':
      return [
        { ...client, in: 'http2', out: 'http2', tls: 'out' },
        { ...server, in: 'http2', out: 'http2', tls: 'in', upstream: http2 },
      ];
    case 'mtls-http1':
      return [
        { ...client, in: 'http1', out: 'http2', tls: 'out' },
        { ...server, in: 'http2', out: 'http1', tls: 'in', upstream: http1 },
      ];
    case 'mtls-tcp':
      return [
        { ...client, in: 'tcp', out: 'tcp', tls: 'out' },
        { ...server, in: 'tcp', out: 'tcp', tls: 'in', upstream: echo },
      ];
    case 'mtls-grpc':
      return [
        { ...client, in: 'grpc', out: 'grpc', tls: 'out' },
        { ...server, in: 'grpc', out: 'grpc', tls: 'in', upstream: grpc },
      ];
  }
}

/** Processes of one way: one proxy, or the two sides of a hop. */
export interface Started {
  /** Where the load enters. */
  target: Target;
  /** Where the second of two hops listens; null if there is one. */
  server: Target | null;
  /** A certificate that the second hop takes, and the root of its own. */
  identity(): { ca: string; client: KeyPair };
  /** The client's first. */
  pids: readonly number[];
  stop(): Promise<void>;
}

export interface Proxy {
  name: string;
  /** Why it cannot go this way here, or null. */
  missing(way: Way): string | null;
  version(): string;
  start(way: Way, context: Context): Promise<Started>;
}

export interface Context {
  /** Folder for configuration and logs. */
  folder: string;
  certificates: Certificates;
  /** Of way `http1`, for the curves. */
  scale?: Scale;
}

/** More of one thing than the scenarios have. */
export interface Scale {
  /** Rules with a path prefix, `/service-0` and up, before the two that there are otherwise. */
  routes?: number;
  /** Endpoints of the service, all of them the same backend. */
  endpoints?: number;
}
