/** Answers that the proxy makes itself. */
import { type FailureCode, failureHeader, failures } from '../../api/failure.ts';
import type { FieldEdits } from '../route/route-config.ts';
import * as fieldLines from './fields.ts';
import type { FieldLines, ServerStream } from './stream.ts';

/**
 * Answers with a failure of api/failure.ts: its status, the code and sentence in `tulle-error` and the sentence as a body;
 * for gRPC a trailers-only response (gRPC over HTTP/2, "Responses"). `edits` are applied to its fields.
 * @returns the HTTP status that was sent
 */
export function replyFailure(
  stream: ServerStream,
  code: FailureCode,
  grpc: boolean,
  method: string,
  edits: FieldEdits | null,
): number {
  const { status, grpc: grpcStatus, sentence } = failures[code];
  const reason = `${code}; ${sentence}`;
  if (grpc) {
    const fields = [
      'content-type',
      'application/grpc',
      'grpc-status',
      String(grpcStatus),
      'grpc-message',
      reason,
      failureHeader,
      reason,
    ];
    if (edits !== null) fieldLines.applyEdits(fields, edits);
    stream.respond({ status: 200, fields, contentLength: -1 }, true);
    return 200;
  }
  const fields = [failureHeader, reason];
  // Overload passes; a client that knows when to come back does not make it worse.
  if (code === 'OVERFLOW' || code === 'DRAINING') fields.push('retry-after', '1');
  if (edits !== null) fieldLines.applyEdits(fields, edits);
  replyText(stream, status, fields, `${sentence}\n`, method);
  return status;
}

/** Answers with a short text; `body` is latin1. */
export function replyText(
  stream: ServerStream,
  status: number,
  fields: FieldLines,
  body: string,
  method: string,
): void {
  if (body === '') {
    stream.respond({ status, fields, contentLength: 0 }, true);
    return;
  }
  fields.push('content-type', 'text/plain; charset=utf-8');
  const bytes = Buffer.from(body, 'latin1');
  const bodiless = method === 'HEAD';
  stream.respond({ status, fields, contentLength: bytes.length }, bodiless);
  if (!bodiless) stream.data(bytes, true);
}
