import type {
  ClientConnection,
  ClientStream,
  FieldLines,
  ResetReason,
  ResponseHead,
  ResponseReceiver,
} from '../exchange/stream.ts';
import { frameMessage, MessageReader } from './message-reader.ts';
import { type GrpcStatus, statusCodes } from './status.ts';

/** Longest message that is taken; gRPC's own default. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export interface CallReceiver {
  /** The message belongs to the receiver. */
  onMessage(message: Buffer): void;
  /** Exactly once, at last. */
  onEnd(status: GrpcStatus): void;
}

export interface CallRequest {
  readonly authority: string;
  /** `/<package>.<Service>/<Method>`. */
  readonly path: string;
  readonly scheme: 'http' | 'https';
  /** Metadata besides gRPC's own: name, value, ... */
  readonly metadata: FieldLines;
}

/** One gRPC call (gRPC over HTTP/2) on an open connection: any number of messages in both directions. */
export class GrpcCall implements ResponseReceiver {
  readonly #receiver: CallReceiver;
  readonly #stream: ClientStream;
  readonly #reader: MessageReader;
  /** What the response head says of the outcome, if there are no trailers. */
  #headStatus: GrpcStatus | null = null;
  #ended = false;

  /** The connection must have capacity. The receiver is called later, never before this returns. */
  constructor(connection: ClientConnection, request: CallRequest, receiver: CallReceiver) {
    this.#receiver = receiver;
    this.#reader = new MessageReader(MAX_MESSAGE_BYTES, message => {
      if (!this.#ended) receiver.onMessage(message);
    });
    const fields = [
      'content-type',
      'application/grpc',
      'te',
      'trailers',
      'user-agent',
      'tulle',
      ...request.metadata,
    ];
    this.#stream = connection.open(
      {
        method: 'POST',
        scheme: request.scheme,
        authority: request.authority,
        path: request.path,
        upgrade: '',
        version: 20,
        fields,
        contentLength: -1,
      },
      false,
      this,
    );
  }

  send(message: Uint8Array): void {
    if (!this.#ended) this.#stream.data(frameMessage(message), false);
  }

  /** Sends the last message. */
  sendLast(message: Uint8Array): void {
    if (!this.#ended) this.#stream.data(frameMessage(message), true);
  }

  /** Ends the call at once; the receiver hears nothing more. */
  cancel(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.reset('cancelled');
  }

  onInformational(): void {}

  onResponse(head: ResponseHead, end: boolean): void {
    if (this.#ended) return;
    this.#headStatus = statusOf(head.fields) ?? statusOfHttp(head);
    // A response without a body carries its status in the head (Trailers-Only).
    if (end || this.#headStatus !== null) this.#finish(this.#headStatus ?? missing, !end);
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    if (this.#ended) return;
    const fault = this.#reader.receive(chunk);
    if (fault !== '') this.#finish({ code: statusCodes.resourceExhausted, message: fault }, !end);
    else if (end) this.#finish(missing, false);
    if (!this.#ended) this.#stream.consumed(chunk.length);
  }

  onResponseTrailers(fields: FieldLines): void {
    const status = statusOf(fields) ?? missing;
    const cut = status.code === statusCodes.ok && this.#reader.partial;
    this.#finish(
      cut ? { code: statusCodes.internal, message: 'the last message is cut off' } : status,
      false,
    );
  }

  onResponseReset(reason: ResetReason): void {
    this.#finish({ code: statusCodes.unavailable, message: `the connection failed: ${reason}` }, false);
  }

  onRequestWritable(): void {}

  #finish(status: GrpcStatus, reset: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    if (reset) this.#stream.reset('cancelled');
    this.#receiver.onEnd(status);
  }
}

const missing: GrpcStatus = { code: statusCodes.unknown, message: 'the answer has no grpc-status' };

/** null if there is none. */
function statusOf(fields: FieldLines): GrpcStatus | null {
  let code = '';
  let message = '';
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === 'grpc-status') code = fields[i + 1];
    else if (fields[i] === 'grpc-message') message = decodeMessage(fields[i + 1]);
  }
  return /^\d{1,3}$/.test(code) ? { code: Number(code), message } : null;
}

/** What an answer means that is not gRPC's: null for one that may be (doc/http-grpc-status-mapping.md). */
function statusOfHttp(head: ResponseHead): GrpcStatus | null {
  if (head.status === 200) {
    const at = head.fields.indexOf('content-type');
    if (at >= 0 && head.fields[at + 1].startsWith('application/grpc')) return null;
    return { code: statusCodes.unknown, message: 'the answer is not gRPC; is this the right port?' };
  }
  const code = [429, 502, 503, 504].includes(head.status) ? statusCodes.unavailable : statusCodes.unknown;
  return { code, message: `the answer is not gRPC: HTTP status ${head.status}` };
}

/** Percent-decoding of `grpc-message`; what cannot be decoded stays as it is. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
