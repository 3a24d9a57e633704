import type {
  FieldLines,
  RequestHandler,
  RequestHead,
  RequestReceiver,
  ResetReason,
  ServerStream,
} from '../../exchange/stream.ts';

/** One request as its receiver saw it. */
export class RecordedRequest implements RequestReceiver {
  readonly stream: ServerStream;
  readonly head: RequestHead;
  chunks: Buffer[] = [];
  ended: boolean;
  trailers: FieldLines | null = null;
  reset: ResetReason | null = null;
  sent = 0;
  writable = 0;
  readonly #options: RecordingHandlerOptions;

  constructor(stream: ServerStream, head: RequestHead, end: boolean, options: RecordingHandlerOptions) {
    this.stream = stream;
    this.head = head;
    this.ended = end;
    this.#options = options;
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  field(name: string): string | undefined {
    const at = this.head.fields.findIndex((value, i) => i % 2 === 0 && value === name);
    return at < 0 ? undefined : this.head.fields[at + 1];
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    this.chunks.push(Buffer.from(chunk));
    if (this.#options.autoConsume !== false) this.stream.consumed(chunk.length);
    this.#options.onData?.(this);
    if (end) this.#end();
  }

  onRequestTrailers(fields: FieldLines): void {
    this.trailers = fields;
    this.#end();
  }

  #end(): void {
    this.ended = true;
    this.#options.onEnd?.(this);
  }

  onRequestReset(reason: ResetReason): void {
    this.reset = reason;
  }

  onCutOff(): void {}

  onWritable(): void {
    this.writable++;
  }

  onResponseSent(): void {
    this.sent++;
  }
}

export interface RecordingHandlerOptions {
  /** Gives credit back at once. Default true. */
  autoConsume?: boolean;
  /** Called when a request has ended, with or without a body. */
  onEnd?: (request: RecordedRequest) => void;
  /** Called with every piece of a body. */
  onData?: (request: RecordedRequest) => void;
}

/** Keeps every request; answers none by itself. */
export class RecordingHandler implements RequestHandler {
  readonly requests: RecordedRequest[] = [];
  readonly #options: RecordingHandlerOptions;

  constructor(options: RecordingHandlerOptions = {}) {
    this.#options = options;
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): void {
    const request = new RecordedRequest(stream, head, end, this.#options);
    stream.receiver = request;
    this.requests.push(request);
    if (end) this.#options.onEnd?.(request);
  }
}
