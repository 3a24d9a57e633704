/** The shapes of load, and who generates each. */
import { h2load } from './h2load.ts';
import { program } from './program.ts';
import { wrk } from './wrk.ts';

export interface LoadResult {
  /** Answered requests, or echoed messages. */
  requests: number;
  failed: number;
  seconds: number;
  /** Milliseconds; only of runs with a fixed rate. */
  latencies: Float64Array;
}

/** Closed loops, but for `rate`. */
export type LoadShape =
  | { kind: 'http1'; path?: string; connections: number }
  /** POST over HTTP/1.1. */
  | { kind: 'upload'; path: string; connections: number; bytes: number }
  | { kind: 'http2'; path?: string; connections: number; streams: number }
  /** Requests per second over all connections. */
  | { kind: 'rate'; protocol: 'http1' | 'http2'; connections: number; streams: number; rate: number }
  /** Messages of so many bytes over TCP, one in flight on each connection. */
  | { kind: 'echo'; connections: number; bytes: number }
  /** Calls of so many messages of 100 bytes, each sent when the one before has come back. */
  | { kind: 'grpc'; connections: number; streams: number; messages: number };

/** Where the load goes. */
export interface Target {
  host: string;
  port: number;
}

export function generate(target: Target, shape: LoadShape, seconds: number): Promise<LoadResult> {
  const url = `http://${target.host}:${target.port}${'path' in shape ? shape.path : '/'}`;
  switch (shape.kind) {
    case 'http1':
      return wrk(url, shape.connections, seconds);
    case 'http2':
      return h2load(url, [`-c${shape.connections}`, `-m${shape.streams}`], seconds);
    case 'upload':
      return wrk(url, shape.connections, seconds, shape.bytes);
    case 'rate': {
      const { protocol, connections, streams, rate } = shape;
      const args = [`-c${connections}`, `-m${streams}`, `--rps=${rate / connections}`];
      return h2load(url, protocol === 'http1' ? ['--h1', ...args] : args, seconds);
    }
    case 'echo':
      return program('echo-client', target, [shape.connections, shape.bytes, seconds]);
    case 'grpc': {
      const { connections, streams, messages } = shape;
      return program('grpc-client', target, [connections, streams, messages, 100, seconds]);
    }
  }
}
