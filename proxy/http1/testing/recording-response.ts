import type {
  ClientConnection,
  ClientConnectionOwner,
  ClientStream,
  FieldLines,
  ResetReason,
  ResponseHead,
  ResponseReceiver,
} from '../../exchange/stream.ts';

/** A response as its receiver saw it. */
export class RecordedResponse implements ResponseReceiver {
  stream: ClientStream | null = null;
  informational: number[] = [];
  head: ResponseHead | null = null;
  chunks: Buffer[] = [];
  ended = false;
  trailers: FieldLines | null = null;
  reset: ResetReason | null = null;
  writable = 0;
  autoConsume = true;
  resetAtEnd = false;

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  onInformational(status: number): void {
    this.informational.push(status);
  }

  onResponse(head: ResponseHead, end: boolean): void {
    this.head = head;
    this.ended = end;
  }

  onResponseData(chunk: Buffer, end: boolean): void {
    this.chunks.push(Buffer.from(chunk));
    if (this.autoConsume) this.stream?.consumed(chunk.length);
    this.ended = end;
    if (end && this.resetAtEnd) this.stream?.reset('cancelled');
  }

  onResponseTrailers(fields: FieldLines): void {
    this.trailers = fields;
    this.ended = true;
  }

  onResponseReset(reason: ResetReason): void {
    this.reset = reason;
  }

  onRequestWritable(): void {
    this.writable++;
  }
}

/** What a pool would have heard, in order. */
export class RecordingOwner implements ClientConnectionOwner {
  readonly events: string[] = [];

  onCapacity(_connection: ClientConnection): void {
    this.events.push('capacity');
  }

  onDraining(_connection: ClientConnection): void {
    this.events.push('draining');
  }

  onClosed(_connection: ClientConnection, reason: ResetReason): void {
    this.events.push(`closed ${reason}`);
  }
}
