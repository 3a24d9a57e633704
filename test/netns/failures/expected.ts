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

/** The caller is told, and the access log and the metrics of its sidecar say the same. */
export async function expectFailure(
  world: World,
  service: TestService,
  { reply, line }: Outcome,
  { code, status, grpc, flags, attempts }: Failure,
): Promise<void> {
  const { kind } = service;
  if (kind === 'tcp') {
    expect(reply).toMatchObject({ error: 'ECONNRESET', body: '' });
    expect(line).toMatchObject({ protocol: 'tcp', response_flags: flags, failure: code, attempts });
    return expectClosed(world, service, flags);
  }
  if (kind === 'grpc') {
    expect(reply).toMatchObject({ grpcStatus: grpc, grpcMessage: expect.stringMatching(`^${code}; .*\\.$`) });
    expect(line).toMatchObject({ protocol: 'grpc', response_code: 200, grpc_status: grpc });
  } else {
    expect(reply.status).toBe(status);
    expect(line).toMatchObject({ protocol: 'http', response_code: status });
  }
  expect(reply.failure).toMatch(new RegExp(`^${code}; .*\\.$`));
  expect(line).toMatchObject({ response_flags: flags, failure: code, attempts });
  const labels = {
    response_code: kind === 'grpc' ? '200' : String(status),
    grpc_response_status: kind === 'grpc' ? String(grpc) : '',
    response_flags: flags,
  };
  expect(await world.of(service, 'istio_requests_total', labels)).toBe(1);
}

/** A connection of bytes ended so, by the metric. */
export async function expectClosed(world: World, service: TestService, flags: string): Promise<void> {
  const labels = { response_flags: flags };
  expect(await world.of(service, 'istio_tcp_connections_closed_total', labels)).toBe(1);
}

/** The caller got what it wanted, and nothing looks wrong. */
export function expectSuccess({ kind }: TestService, { reply, line }: Outcome, attempts: number): void {
  if (kind === 'grpc') expect(reply).toMatchObject({ grpcStatus: 0 });
  else if (kind === 'tcp') expect(reply).toMatchObject({ body: 'hello' });
  else expect(reply).toMatchObject({ status: 200 });
  expect(reply).not.toHaveProperty('failure');
  expect(line).toMatchObject({ response_flags: '-', attempts });
}
