/** A server on the codec alone: answers every request with its own body, or with a short text. */
import type {
  FieldLines,
  RequestHandler,
  RequestHead,
  RequestReceiver,
  ResetReason,
  ServerStream,
} from '../../proxy/exchange/stream.ts';
import { Loopback } from './loopback.ts';

const GREETING = Buffer.from('Hello from the HTTP/2 codec of Tulle.\n');

class Echo implements RequestReceiver {
  readonly #stream: ServerStream;

  constructor(stream: ServerStream, head: RequestHead, end: boolean) {
    this.#stream = stream;
    const greets = end && head.method !== 'HEAD';
    stream.respond(
      { status: 200, fields: ['content-type', 'text/plain'], contentLength: -1 },
      end && !greets,
    );
    if (greets) stream.data(GREETING, true);
  }

  onRequestData(chunk: Buffer, end: boolean): void {
    this.#stream.data(chunk, end);
    this.#stream.consumed(chunk.length);
  }

  onRequestTrailers(fields: FieldLines): void {
    this.#stream.trailers(fields);
  }

  onRequestReset(_reason: ResetReason): void {}
  onCutOff(): void {}

  onWritable(): void {}
  onResponseSent(): void {}
}

export const ECHO_HANDLER: RequestHandler = {
  onRequest(stream: ServerStream, head: RequestHead, end: boolean): void {
    stream.receiver = new Echo(stream, head, end);
  },
};

/** Starts the server on a free port of 127.0.0.1. */
export async function startEchoServer(
  onRequest: () => void = () => {},
): Promise<{ port: number; close: () => Promise<void> }> {
  const loopback = new Loopback();
  const port = await loopback.listen({
    onRequest(stream, head, end) {
      onRequest();
      ECHO_HANDLER.onRequest(stream, head, end);
    },
  });
  return { port, close: () => loopback.close() };
}
