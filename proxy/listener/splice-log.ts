import type { FailureCode } from '../../api/failure.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Splice } from '../exchange/splice.ts';
import type { AccessLog } from '../telemetry/access-log.ts';

/** Writes the access-log line of a connection of bytes that is over. */
export function logSplice(
  accessLog: AccessLog,
  direction: 'inbound' | 'outbound',
  clock: Clock,
  splice: Splice,
  failure: FailureCode | '',
  context: { readonly client: string },
  peer: string,
  route = '',
): void {
  const { flags } = splice;
  // A connection of bytes has no status: without a flag nothing is wrong with it.
  if (accessLog.mode === 'off' || (accessLog.mode === 'errors' && flags === '')) return;
  const { endpoint } = splice;
  accessLog.write({
    direction,
    protocol: 'tcp',
    method: '',
    authority: '',
    path: '',
    status: 0,
    grpcStatus: -1,
    flags,
    failure,
    durationMs: clock.now() - splice.startedAt,
    requestBytes: splice.receivedBytes,
    responseBytes: splice.sentBytes,
    attempts: splice.attempts,
    route,
    cluster: splice.cluster?.name ?? '',
    endpoint: endpoint === null ? '' : `${endpoint.address}:${endpoint.port}`,
    client: context.client,
    peer,
    requestId: '',
  });
}
