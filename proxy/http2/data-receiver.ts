/**
 * DATA on its way in: windows (RFC 9113 §5.2, §6.9), Content-Length, and the credit that goes back as bodies are
 * consumed.
 */
import { FLOW_CONTROL_ERROR, PROTOCOL_ERROR, STREAM_CLOSED } from './error-code.ts';
import { DEFAULT_WINDOW_BYTES, END_STREAM, MAX_31 } from './frame.ts';
import type { Multiplexer } from './multiplexer.ts';
import type { Http2Stream } from './stream.ts';

/** Octets of the connection's window that are given back together, at most. */
const CREDIT_BYTES = 1_048_576;

/**
 * Every stream has its initial window to itself, whatever becomes of the others: the window of the connection has room for
 * as many as may be open. What it has beyond that lets the windows of streams grow whose octets are passed on, so that a
 * stream which stands still from the start holds little.
 */
export class DataReceiver {
  readonly #mux: Multiplexer;
  /** Octets that the peer may send on the whole connection, and those to be given back. */
  #window: number;
  #consumedBytes = 0;
  readonly #creditBytes: number;
  /** Streams for which the connection has an initial window. */
  #provided: number;
  /** Octets by which windows of streams may still grow. */
  #growthBytes: number;
  /** The stream of the DATA frame that is being received; null if its octets are thrown away. */
  #stream: Http2Stream | null = null;
  #ends = false;

  constructor(mux: Multiplexer) {
    this.#mux = mux;
    const { connectionWindowBytes, maxConcurrentStreams, streamWindowBytes } = mux.limits;
    this.#window = Math.max(connectionWindowBytes, DEFAULT_WINDOW_BYTES);
    this.#creditBytes = Math.min(CREDIT_BYTES, connectionWindowBytes / 2);
    this.#provided = maxConcurrentStreams;
    const provided = maxConcurrentStreams * streamWindowBytes;
    this.#growthBytes = Math.max(0, this.#window - this.#creditBytes - provided);
  }

  /** Says how much larger than the default our window is. */
  open(): void {
    const more = this.#window - DEFAULT_WINDOW_BYTES;
    if (more > 0) this.#mux.writer.windowUpdate(0, more);
  }

  /** So many streams are open; a server may allow more than our own limit, and each needs its window. */
  opened(streams: number): void {
    if (streams <= this.#provided) return;
    this.#provided = streams;
    const { writer, limits } = this.#mux;
    const { streamWindowBytes } = limits;
    if (this.#window + streamWindowBytes > MAX_31) return;
    writer.windowUpdate(0, streamWindowBytes);
    this.#window += streamWindowBytes;
  }

  begin(streamId: number, flags: number, length: number): void {
    const mux = this.#mux;
    this.#stream = null;
    this.#window -= length;
    if (this.#window < 0) {
      mux.fail(FLOW_CONTROL_ERROR, 'DATA is beyond the window of the connection');
      return;
    }
    const stream = mux.streams.get(streamId);
    if (stream === null) {
      this.#dataOfNobody(streamId);
      return;
    }
    if (!stream.receiving) {
      mux.failStream(stream, STREAM_CLOSED, 'DATA after the end of a stream');
      return;
    }
    if (!stream.headReceived) {
      mux.failStream(stream, PROTOCOL_ERROR, 'DATA before the head of the response');
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      mux.failStream(stream, FLOW_CONTROL_ERROR, 'DATA is beyond the window of its stream');
      return;
    }
    this.#stream = stream;
    this.#ends = (flags & END_STREAM) !== 0;
  }

  #dataOfNobody(streamId: number): void {
    if (this.#mux.side.isIdle(streamId)) this.#mux.fail(PROTOCOL_ERROR, `DATA on idle stream ${streamId}`);
    else if (!this.#mux.resetIds.has(streamId))
      this.#mux.rejectStream(streamId, STREAM_CLOSED, 'DATA on a closed stream');
  }

  padding(octets: number): void {
    const stream = this.#stream;
    if (stream === null || stream.state === 'closed') {
      this.giveBack(octets);
      return;
    }
    stream.unconsumed += octets;
    this.consumed(stream, octets);
  }

  data(bytes: Buffer, start: number, end: number, last: boolean): void {
    const stream = this.#stream;
    const length = end - start;
    if (stream === null || stream.state === 'closed') {
      this.giveBack(length);
      return;
    }
    const ends = last && this.#ends;
    stream.receivedBytes += length;
    stream.unconsumed += length;
    stream.activeAt = this.#mux.now;
    if (!ends) {
      if (length === 0) this.#mux.count('emptyData');
      else if (this.#bodyFits(stream, false)) stream.deliverData(bytes.subarray(start, end), false);
      return;
    }
    if (!this.#bodyFits(stream, true)) return;
    this.#mux.endedByPeer(stream);
    stream.deliverData(bytes.subarray(start, end), true);
  }

  /** Content-Length against the octets that came (RFC 9113 §8.1.1). Fails the stream if they differ. */
  #bodyFits(stream: Http2Stream, end: boolean): boolean {
    const { expectedBytes, receivedBytes } = stream;
    if (expectedBytes < 0 || (end ? receivedBytes === expectedBytes : receivedBytes <= expectedBytes))
      return true;
    this.#mux.failStream(
      stream,
      PROTOCOL_ERROR,
      `content-length is ${expectedBytes}, the body has ${receivedBytes} octets`,
    );
    return false;
  }

  /** END_STREAM with a header block: the body must be complete. */
  bodyComplete(stream: Http2Stream): boolean {
    return this.#bodyFits(stream, true);
  }

  /** Octets of the connection's window that nobody holds any more. */
  giveBack(octets: number): void {
    const mux = this.#mux;
    this.#consumedBytes += octets;
    if (this.#consumedBytes < this.#creditBytes || !mux.live) return;
    mux.writer.windowUpdate(0, this.#consumedBytes);
    this.#window += this.#consumedBytes;
    this.#consumedBytes = 0;
  }

  /** The exchange has passed octets of a stream on. */
  consumed(stream: Http2Stream, bytes: number): void {
    const mux = this.#mux;
    const octets = Math.min(bytes, stream.unconsumed);
    stream.unconsumed -= octets;
    this.giveBack(octets);
    if (!stream.receiving) return;
    stream.consumedBytes += octets;
    if (stream.consumedBytes * 2 < stream.windowBytes || sufficient(stream)) return;
    const credit = stream.consumedBytes + this.#grow(stream);
    mux.writer.windowUpdate(stream.id, credit);
    stream.receiveWindow += credit;
    stream.consumedBytes = 0;
  }

  /** @returns by how much the window of the stream is larger from now on */
  #grow(stream: Http2Stream): number {
    const wanted = this.#mux.limits.maxStreamWindowBytes - stream.windowBytes;
    const more = Math.min(wanted, this.#growthBytes);
    if (more <= 0) return 0;
    this.#growthBytes -= more;
    stream.windowBytes += more;
    return more;
  }

  /** The stream is closed: its octets that nobody has passed on, and what its window had grown by, are for others. */
  closed(stream: Http2Stream): void {
    this.#growthBytes += stream.windowBytes - this.#mux.limits.streamWindowBytes;
    if (stream.unconsumed > 0) this.giveBack(stream.unconsumed);
  }
}

/** The peer may send all that its Content-Length has announced. */
function sufficient({
  expectedBytes,
  receivedBytes,
  windowBytes,
  unconsumed,
  consumedBytes,
}: Http2Stream): boolean {
  return expectedBytes >= 0 && expectedBytes - receivedBytes <= windowBytes - unconsumed - consumedBytes;
}
