/** What a benchmark needs of a proxy. */
import type { Certificates } from '../certificates.ts';

/** Ways through a proxy; see bench/addresses.ts. */
export type Way = 'http1' | 'http2' | 'mtls' | 'mtls-http1';

/** Processes of one way: one proxy, or the two sides of a hop. */
export interface Started {
  url: string;
  pids: readonly number[];
  stop(): Promise<void>;
}

export interface Proxy {
  name: string;
  /** Why it cannot run here, or null. */
  missing(): string | null;
  supports(way: Way): boolean;
  start(way: Way, context: Context): Promise<Started>;
}

export interface Context {
  /** Folder for configuration and logs. */
  folder: string;
  certificates: Certificates;
}
