/** gRPC status codes that are used here (google.rpc.Code) and what a call ended with. */
export const statusCodes = {
  ok: 0,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

const NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

export interface GrpcStatus {
  /** google.rpc.Code. */
  readonly code: number;
  /** For people; '' if the server gave none. */
  readonly message: string;
}

/** `PERMISSION_DENIED: the token proves ...`, for logs. */
export function describeStatus({ code, message }: GrpcStatus): string {
  const name = NAMES[code] ?? `code ${code}`;
  return message === '' ? name : `${name}: ${message}`;
}
