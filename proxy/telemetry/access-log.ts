import type { Logger } from '../../runtime/log.ts';
import { isServerFailure } from '../resilience/attempt.ts';

/** Which requests are logged; `errors` are those of {@link isError}. */
export type AccessLogMode = 'off' | 'errors' | 'all';

/** One request or TCP connection when it is over; '' where something is not known or does not apply. */
export interface AccessRecord {
  readonly direction: 'inbound' | 'outbound';
  readonly protocol: 'http' | 'grpc' | 'tcp';
  readonly method: string;
  readonly authority: string;
  /** As received; the query is not logged, because it may hold secrets. */
  readonly path: string;
  /** 0 if no response was sent. */
  readonly status: number;
  /** -1 if there is none. */
  readonly grpcStatus: number;
  /** Response flags, '' for none. */
  readonly flags: string;
  /** Code of api/failure.ts if the proxy answered itself. */
  readonly failure: string;
  /** From the first byte of the request to the last of the response. */
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Attempts made, the first included; 0 if no endpoint was chosen. */
  readonly attempts: number;
  /** Origin of the route: `HTTPRoute/<namespace>/<name>/<rule>`. */
  readonly route: string;
  readonly cluster: string;
  /** `address:port` of the last endpoint. */
  readonly endpoint: string;
  /** `address:port` of the client. */
  readonly client: string;
  /** SPIFFE ID of the other side. */
  readonly peer: string;
  readonly requestId: string;
}

/** A server's failure, no response, or anything that has a response flag. */
export function isError(status: number, grpcStatus: number, flags: string): boolean {
  return flags !== '' || status === 0 || isServerFailure(status, grpcStatus);
}

/**
 * Writes a JSON line per request, with the field names of Istio's JSON access log where it has them. The caller asks
 * {@link wants} first and makes no record otherwise.
 */
export class AccessLog {
  readonly mode: AccessLogMode;
  readonly #log: Logger;

  constructor(log: Logger, mode: AccessLogMode) {
    this.mode = mode;
    // Its own level, so that an access log asked for is written whatever the level of the process.
    this.#log = log.child({ log: 'access' }, { level: 'info' });
  }

  wants(status: number, grpcStatus: number, flags: string): boolean {
    return this.mode === 'all' || (this.mode === 'errors' && isError(status, grpcStatus, flags));
  }

  write(record: AccessRecord): void {
    const query = record.path.indexOf('?');
    this.#log.info({
      direction: record.direction,
      protocol: record.protocol,
      method: record.method,
      authority: record.authority,
      path: query < 0 ? record.path : record.path.slice(0, query),
      response_code: record.status,
      grpc_status: record.grpcStatus < 0 ? undefined : record.grpcStatus,
      response_flags: record.flags === '' ? '-' : record.flags,
      failure: record.failure === '' ? undefined : record.failure,
      duration: Math.round(record.durationMs * 1000) / 1000,
      bytes_received: record.requestBytes,
      bytes_sent: record.responseBytes,
      attempts: record.attempts,
      route_name: record.route,
      upstream_cluster: record.cluster,
      upstream_host: record.endpoint,
      downstream_remote_address: record.client,
      peer_principal: record.peer,
      request_id: record.requestId,
    });
  }
}
