import type { Dialect } from './client.ts';
import type { DialectWriter } from './dialect.ts';
import { envoyDialect } from './envoy/dialect.ts';
import { grpcDialect } from './grpc/dialect.ts';
import { sidecarDialect } from './sidecar/dialect.ts';

export const dialects: Readonly<Record<Dialect, DialectWriter>> = {
  sidecar: sidecarDialect,
  envoy: envoyDialect,
  grpc: grpcDialect,
};
