/**
 * Hands frames to those who know them, keeps their order, and puts header blocks together (RFC 9113 §3.4, §4.3, §6.2,
 * §6.10).
 */
import { ControlFrames } from './control-frames.ts';
import type { DataReceiver } from './data-receiver.ts';
import { FRAME_SIZE_ERROR, PROTOCOL_ERROR } from './error-code.ts';
import {
  ACK,
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  HEADERS,
  PADDED,
  PRIORITY_FLAG,
  readUint31,
  SETTINGS,
} from './frame.ts';
import type { FrameHandler } from './frame-reader.ts';
import { HeaderAssembler } from './header-assembler.ts';
import type { HeaderBlock } from './header-block.ts';
import type { Multiplexer } from './multiplexer.ts';
import type { Http2Workspace } from './workspace.ts';

export class FrameDispatcher implements FrameHandler {
  readonly #mux: Multiplexer;
  readonly #data: DataReceiver;
  readonly #control: ControlFrames;
  readonly #assembler: HeaderAssembler;
  readonly #block: HeaderBlock;
  /** When the header block that is open was begun, ms; -1 if none is. */
  #blockSince = -1;
  /** The block that is being received depends on its own stream (h2spec 5.3.1; RFC 7540 §5.3.1). */
  #selfDependent = false;

  constructor(mux: Multiplexer, data: DataReceiver, workspace: Http2Workspace) {
    this.#mux = mux;
    this.#data = data;
    this.#control = new ControlFrames(mux);
    this.#assembler = new HeaderAssembler(workspace, mux.limits);
    this.#block = workspace.block;
  }

  /** Since when a header block waits for its end, ms; -1 if none does. */
  get blockSince(): number {
    return this.#assembler.state === 'open' ? this.#blockSince : -1;
  }

  onFrameError(code: number, text: string): void {
    this.#mux.fail(code, text);
  }

  onDataFrame(streamId: number, flags: number, length: number): void {
    if (this.#mayBegin(streamId, false, 0, 0)) this.#data.begin(streamId, flags, length);
  }

  onPadding(octets: number): void {
    this.#data.padding(octets);
  }

  onData(bytes: Buffer, start: number, end: number, last: boolean): void {
    this.#data.data(bytes, start, end, last);
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (!this.#mayBegin(streamId, type === CONTINUATION, type, flags)) return;
    if (type === HEADERS) this.#onHeaders(flags, streamId, bytes, start, end);
    else if (type === CONTINUATION) {
      this.#onHeaderFault(
        this.#assembler.add(bytes.subarray(start, end), (flags & END_HEADERS) !== 0),
        flags,
      );
    } else this.#control.receive(type, flags, streamId, bytes, start, end);
  }

  /** What no frame may violate: SETTINGS come first (§3.4), and nothing comes between the parts of a header block (§4.3). */
  #mayBegin(streamId: number, continues: boolean, type: number, flags: number): boolean {
    const { state, streamId: openStream } = this.#assembler;
    if (state === 'open' ? !continues || streamId !== openStream : continues) {
      this.#mux.fail(
        PROTOCOL_ERROR,
        state === 'open' ? 'a header block is interrupted' : 'CONTINUATION without HEADERS',
      );
      return false;
    }
    if (this.#mux.state === 'awaiting-settings' && (type !== SETTINGS || (flags & ACK) !== 0)) {
      this.#mux.fail(PROTOCOL_ERROR, 'the first frame is not SETTINGS');
      return false;
    }
    return true;
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, from: number, to: number): void {
    if (streamId === 0) {
      this.#mux.fail(PROTOCOL_ERROR, 'HEADERS on stream 0');
      return;
    }
    let start = from;
    let end = to;
    const padded = (flags & PADDED) !== 0;
    const priority = (flags & PRIORITY_FLAG) !== 0;
    if (end - start < (padded ? 1 : 0) + (priority ? 5 : 0)) {
      this.#mux.fail(FRAME_SIZE_ERROR, 'HEADERS is too short');
      return;
    }
    const padding = padded ? bytes[start++] : 0;
    this.#selfDependent = priority && readUint31(bytes, start) === streamId;
    if (priority) start += 5;
    end -= padding;
    if (end < start) {
      this.#mux.fail(PROTOCOL_ERROR, 'padding is longer than its HEADERS frame');
      return;
    }
    const endStream = (flags & END_STREAM) !== 0;
    if ((flags & END_HEADERS) === 0) {
      this.#blockSince = this.#mux.now;
      this.#onHeaderFault(this.#assembler.open(streamId, endStream, bytes.subarray(start, end)), 0);
      return;
    }
    const fault = this.#assembler.decode(bytes, start, end);
    if (fault === '') this.#onBlock(streamId, endStream);
    else this.#onHeaderFault(fault, 0);
  }

  #onHeaderFault(fault: string, flags: number): void {
    const assembler = this.#assembler;
    if (fault === '') {
      if ((flags & END_HEADERS) !== 0) this.#onBlock(assembler.streamId, assembler.endStream);
      return;
    }
    if (assembler.faultLimit !== null) this.#mux.observer.onLimit(assembler.faultLimit);
    this.#mux.fail(assembler.faultCode, fault);
  }

  #onBlock(streamId: number, endStream: boolean): void {
    if (this.#selfDependent && this.#block.fault === '') this.#block.fault = 'a stream depends on itself';
    this.#selfDependent = false;
    this.#mux.side.onHeaderBlock(streamId, endStream, this.#block);
  }
}
