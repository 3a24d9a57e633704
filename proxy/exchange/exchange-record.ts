import { recordRequest } from '../telemetry/edge-series.ts';
import type { Exchange } from './exchange.ts';
import * as fields from './fields.ts';

/** Counts the request once, when it is over, and logs it if the access log wants it. */
export function recordExchange(exchange: Exchange): void {
  const { context, direction, status, grpcStatus, flags } = exchange;
  const endpoint = exchange.lastEndpoint;
  const durationMs = context.clock.now() - exchange.startedAt;
  const series = direction.series(exchange, endpoint);
  recordRequest(series, status, grpcStatus, flags, durationMs, exchange.requestBytes, exchange.responseBytes);
  if (!context.accessLog.wants(status, grpcStatus, flags)) return;
  context.accessLog.write({
    direction: direction.name,
    protocol: exchange.grpc ? 'grpc' : 'http',
    method: exchange.head.method,
    authority: exchange.authority,
    path: exchange.path,
    status,
    grpcStatus,
    flags,
    failure: exchange.failure,
    durationMs,
    requestBytes: exchange.requestBytes,
    responseBytes: exchange.responseBytes,
    attempts: exchange.attempts,
    route: exchange.route?.origin ?? '',
    cluster: exchange.cluster?.name ?? '',
    endpoint: endpoint === null ? '' : `${endpoint.address}:${endpoint.port}`,
    client: direction.client(exchange),
    peer: direction.peer(exchange, endpoint),
    requestId: fields.get(exchange.head.fields, 'x-request-id'),
  });
}
