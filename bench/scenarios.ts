/** What is measured: a way through the proxies, and the load on it. */
import type { LoadShape } from './load/load.ts';
import type { Way } from './proxies/proxy.ts';

export interface Scenario {
  name: string;
  what: string;
  way: Way;
  load: LoadShape;
  /** What is counted, if not requests. */
  unit?: string;
  /** Least seconds of load. */
  minSeconds?: number;
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'http1',
    what: 'HTTP/1.1, 32 connections, one proxy',
    way: 'http1',
    load: { kind: 'http1', connections: 32 },
  },
  {
    name: 'http2',
    what: 'HTTP/2, 4 connections × 8 streams, one proxy',
    way: 'http2',
    load: { kind: 'http2', connections: 4, streams: 8 },
  },
  {
    name: 'mtls-4x8',
    what: 'HTTP/2 over mutual TLS, 4 × 8, each of the two hops',
    way: 'mtls',
    load: { kind: 'http2', connections: 4, streams: 8 },
  },
  {
    name: 'mtls-1x1',
    what: 'HTTP/2 over mutual TLS, 1 × 1, each of the two hops',
    way: 'mtls',
    load: { kind: 'http2', connections: 1, streams: 1 },
  },
  {
    name: 'mtls-http1',
    what: 'HTTP/1.1 in and out, mutual TLS between, 32 connections, each of the two hops',
    way: 'mtls-http1',
    load: { kind: 'http1', connections: 32 },
  },
  {
    name: 'body-64k',
    what: 'Answers of 64 KiB, HTTP/1.1, 32 connections, one proxy',
    way: 'http1',
    load: { kind: 'http1', path: '/64k', connections: 32 },
  },
  {
    name: 'mtls-body-64k',
    what: 'Answers of 64 KiB, HTTP/1.1 in and out, mutual TLS between, 32 connections, each of the two hops',
    way: 'mtls-http1',
    load: { kind: 'http1', path: '/64k', connections: 32 },
  },
  {
    name: 'mtls-upload-64k',
    what: 'Requests of 64 KiB, HTTP/1.1 in and out, mutual TLS between, 32 connections, each of the two hops',
    way: 'mtls-http1',
    load: { kind: 'upload', path: '/upload', connections: 32, bytes: 65_536 },
  },
  {
    name: 'mtls-body-1m',
    what: 'Answers of 1 MiB, HTTP/1.1 in and out, mutual TLS between, 8 connections, each of the two hops',
    way: 'mtls-http1',
    load: { kind: 'http1', path: '/1m', connections: 8 },
  },
  {
    name: 'mtls-tcp-64k',
    what: 'Opaque TCP, echo of 64 KiB over mutual TLS, 8 connections, each of the two hops',
    way: 'mtls-tcp',
    load: { kind: 'echo', connections: 8, bytes: 65_536 },
    unit: 'message',
  },
  {
    name: 'mtls-grpc-unary',
    what: 'gRPC, unary calls, 4 connections × 8 streams, over mutual TLS, each of the two hops',
    way: 'mtls-grpc',
    load: { kind: 'grpc', connections: 4, streams: 8, messages: 1 },
    unit: 'call',
  },
  {
    name: 'mtls-grpc-stream',
    what: 'gRPC, streams of 1,000 messages, 4 connections × 8 streams, over mutual TLS, each of the two hops',
    way: 'mtls-grpc',
    load: { kind: 'grpc', connections: 4, streams: 8, messages: 1000 },
    unit: 'message',
  },
  {
    name: 'rate-http1',
    what: 'HTTP/1.1 at 2,000 requests/s, 32 connections, one proxy',
    way: 'http1',
    load: { kind: 'rate', protocol: 'http1', connections: 32, streams: 1, rate: 2000 },
    // CPU is counted in ticks of 10 ms.
    minSeconds: 6,
  },
  {
    name: 'rate-mtls',
    what: 'HTTP/2 over mutual TLS at 2,000 requests/s, 8 × 4, through two proxies',
    way: 'mtls',
    load: { kind: 'rate', protocol: 'http2', connections: 8, streams: 4, rate: 2000 },
    // 20 answers lie above p99.9 of 20,000.
    minSeconds: 10,
  },
];
