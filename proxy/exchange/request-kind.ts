import * as fields from './fields.ts';
import type { FieldLines, RequestHead } from './stream.ts';

/** `application/grpc`, `application/grpc+proto`, ...; not gRPC-Web, whose answers are plain HTTP. */
export function isGrpc(head: RequestHead): boolean {
  const type = fields.get(head.fields, 'content-type');
  return type.startsWith('application/grpc') && !type.startsWith('application/grpc-web');
}

/** gRPC status of trailers, or of a trailers-only answer; -1 if there is none or it is not a number. */
export function grpcStatusOf(lines: FieldLines): number {
  const value = fields.get(lines, 'grpc-status');
  return value === '' || value.length > 3 || Number.isNaN(Number(value)) ? -1 : Number(value);
}
