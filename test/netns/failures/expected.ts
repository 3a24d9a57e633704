/** What is expected of a failure, and of a success, whoever calls. */
import { expect } from 'vitest';
import type { FailureCode } from '../../../api/failure.ts';
import type { RetryConfig } from '../../../proxy/route/route-config.ts';
import type { CallKind } from './caller.ts';
import type { Outcome, TestService, World } from './world.ts';

/** The kinds of calls that get an answer when something fails. */
export const HTTP = ['http1', 'http2', 'grpc'] as const satisfies readonly CallKind[];

/** A rule that retries what may have been processed. */
export const RETRY: RetryConfig = {
  attempts: 2,
  statuses: [],
  grpcStatuses: [],
  onReset: true,
  perTryTimeoutMs: 0,
  anyMethod: false,
  backoff: null,
};

export interface Failure {
  readonly code: FailureCode;
  readonly status: number;
  readonly grpc: number;
  readonly flags: string;
  /** By the access log of the caller's sidecar. */
  readonly attempts: number;
}

/** No connection, or none of which anything was read: the caller may come again. */
export const unavailable = (code: FailureCode, flags: string, attempts: number): Failure => ({
  code,
  status: 503,
  grpc: 14,
  flags,
  attempts,
});

export const late = (code: FailureCode, flags: string, attempts: number): Failure => ({
  code,
  status: 504,
  grpc: 4,
  flags,
  attempts,
});

/** The caller is told, and the access log and the metrics of its sidecar say the same. */
export async function expectFailure(
  world: World,
  service: TestService,
  { reply, line }: Outcome,
  { code, status, grpc, flags, attempts }: Failure,
): Promise<void> {
  const { kind } = service;
  expect(line).toMatchObject({ response_flags: flags, failure: code, attempts });
  if (kind === 'tcp') {
    expect(reply).toEqual({ error: 'ECONNRESET', body: '' });
    return expectClosed(world, service, flags);
  }
  const failure = expect.stringMatching(`^${code}; .*\\.$`);
  if (kind === 'grpc') expect(reply).toEqual({ grpcStatus: grpc, grpcMessage: failure, failure });
  else expect(reply).toMatchObject({ status, failure });
  await expectCounted(world, service, kind === 'grpc' ? 200 : status, kind === 'grpc' ? grpc : null, flags);
}

/** A request ended so, by the access log and the metrics. */
export async function expectCounted(
  world: World,
  service: TestService,
  status: number,
  grpc: number | null,
  flags: string,
): Promise<void> {
  const { kind } = service;
  const line = (await world.lines(service)).at(-1);
  const protocol = kind === 'grpc' ? 'grpc' : 'http';
  expect(line).toMatchObject({ protocol, response_code: status, response_flags: flags });
  expect(line?.grpc_status ?? null).toBe(grpc);
  const labels = {
    response_code: String(status),
    grpc_response_status: grpc === null ? '' : String(grpc),
    response_flags: flags,
  };
  expect(await world.of(service, 'istio_requests_total', labels)).toBe(1);
}

/** A connection of bytes ended so. */
export async function expectClosed(world: World, service: TestService, flags: string): Promise<void> {
  expect((await world.lines(service)).at(-1)).toMatchObject({ protocol: 'tcp', response_flags: flags });
  expect(await world.of(service, 'istio_tcp_connections_closed_total', { response_flags: flags })).toBe(1);
}

/** The caller got what it wanted, and nothing looks wrong. */
export function expectSuccess({ kind }: TestService, { reply, line }: Outcome, attempts: number): void {
  if (kind === 'grpc') expect(reply).toMatchObject({ grpcStatus: 0 });
  else if (kind === 'tcp') expect(reply).toMatchObject({ body: 'hello' });
  else expect(reply).toMatchObject({ status: 200 });
  expect(reply).not.toHaveProperty('failure');
  expect(line).toMatchObject({ response_flags: '-', attempts });
}
