/** A request and its response on an {@link Http2ServerConnection}. */
import type {
  FieldLines,
  RequestHead,
  RequestReceiver,
  ResetReason,
  ResponseHead,
  ServerConnection,
  ServerStream,
} from '../exchange/stream.ts';
import { codeForClient, codeForTunnel, isLoss, resetReasonOf } from './error-code.ts';
import type { Multiplexer } from './multiplexer.ts';
import { writeInformational, writeResponse } from './response-head.ts';
import { Http2Stream } from './stream.ts';

/** What a server stream needs of its connection besides the contract. */
export interface ServerStreamOwner extends ServerConnection {
  onResponseEnded(stream: Http2ServerStream): void;
}

export class Http2ServerStream extends Http2Stream implements ServerStream {
  readonly connection: ServerStreamOwner;
  receiver: RequestReceiver;
  /** Position in the output behind the response's last byte; -1 until it is written. */
  endsAt = -1;
  #responded = false;
  /** An accepted upgrade is 101 in the contract and 200 here (RFC 8441 §5). */
  readonly #upgrade: boolean;

  readonly #connect: boolean;

  constructor(mux: Multiplexer, id: number, connection: ServerStreamOwner, head: RequestHead) {
    super(mux, id);
    this.connection = connection;
    this.receiver = NOBODY;
    this.headReceived = true;
    this.#upgrade = head.upgrade !== '';
    this.#connect = head.method === 'CONNECT';
  }

  informational(status: number, fields: FieldLines): void {
    if (!this.sending || this.#responded || status === 101) return;
    writeInformational(this.mux.writer, this.mux.encoder, this.id, status, fields);
  }

  respond(head: ResponseHead, end: boolean): void {
    if (!this.sending || this.#responded) return;
    this.#responded = true;
    this.activeAt = this.mux.now;
    this.tunnel = this.#connect && head.status < 300;
    const sent = head.status === 101 && this.#upgrade ? tunnelHead(head) : head;
    writeResponse(this.mux.writer, this.mux.encoder, this.id, sent, end);
    if (end) this.mux.ended(this);
  }

  protected override resetCode(reason: ResetReason): number {
    if (this.tunnel && isLoss(reason)) return codeForTunnel(this.#upgrade);
    return codeForClient(reason);
  }

  override deliverData(chunk: Buffer, end: boolean): void {
    this.receiver.onRequestData(chunk, end);
  }

  override deliverReset(reason: ResetReason): void {
    this.receiver.onRequestReset(reason);
  }

  override deliverLoss(reason: ResetReason): void {
    this.receiver.onRequestReset(reason);
  }

  override onPeerReset(code: number): void {
    this.receiver.onRequestReset(resetReasonOf(code, false));
  }

  /** How long an answer may take is for the exchange and the upstream connection to say: they answer, and why. */
  override get overdue(): boolean {
    return this.receiving && !this.#responded;
  }

  override deliverWritable(): void {
    this.receiver.onWritable();
  }

  override onEndWritten(): void {
    this.endsAt = this.mux.output.position;
    this.connection.onResponseEnded(this);
  }
}

function tunnelHead(head: ResponseHead): ResponseHead {
  return { status: 200, fields: head.fields, contentLength: -1 };
}

/** Stands in until the handler has set the receiver. */
const NOBODY: RequestReceiver = {
  onRequestData() {},
  onRequestTrailers() {},
  onRequestReset() {},
  onCutOff() {},
  onWritable() {},
  onResponseSent() {},
};
