/** Frames without a message: PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE (RFC 9113 §6.3 to §6.9). */
import { FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR } from './error-code.ts';
import {
  ACK,
  GOAWAY,
  MAX_31,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  readUint31,
  readUint32,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame.ts';
import type { Multiplexer } from './multiplexer.ts';

export class ControlFrames {
  readonly #mux: Multiplexer;

  constructor(mux: Multiplexer) {
    this.#mux = mux;
  }

  /** A frame whose payload is bytes[start, end). */
  receive(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case PRIORITY:
        this.#onPriority(streamId, bytes, start, end);
        return;
      case RST_STREAM:
        this.#onReset(streamId, bytes, start, end);
        return;
      case SETTINGS:
        this.#onSettings(flags, streamId, bytes, start, end);
        return;
      case PUSH_PROMISE:
        this.#mux.fail(PROTOCOL_ERROR, 'PUSH_PROMISE, which SETTINGS_ENABLE_PUSH forbids');
        return;
      case PING:
        this.#onPing(flags, streamId, bytes, start, end);
        return;
      case GOAWAY:
        this.#onGoaway(streamId, bytes, start, end);
        return;
      case WINDOW_UPDATE:
        this.#onWindowUpdate(streamId, bytes, start, end);
        return;
      default:
        // Unknown types are ignored (§5.5).
        this.#mux.count('priorities');
    }
  }

  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#mux.count('priorities');
    if (!this.#mux.live) return;
    if (streamId === 0) this.#mux.fail(PROTOCOL_ERROR, 'PRIORITY on stream 0');
    else if (end - start !== 5) this.#failById(streamId, FRAME_SIZE_ERROR, 'PRIORITY is not of 5 octets');
    else if (readUint31(bytes, start) === streamId) {
      this.#failById(streamId, PROTOCOL_ERROR, 'a stream depends on itself');
    }
  }

  #failById(streamId: number, code: number, text: string): void {
    const stream = this.#mux.streams.get(streamId);
    if (stream !== null) this.#mux.failStream(stream, code, text);
    // RST_STREAM on an idle stream is not allowed (§6.4).
    else if (this.#mux.side.isIdle(streamId)) this.#mux.fail(code, text);
    else this.#mux.rejectStream(streamId, code, text);
  }

  #onReset(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) {
      this.#mux.fail(FRAME_SIZE_ERROR, 'RST_STREAM is not of 4 octets');
    } else if (streamId === 0 || this.#mux.side.isIdle(streamId)) {
      this.#mux.fail(PROTOCOL_ERROR, `RST_STREAM on idle stream ${streamId}`);
    } else {
      const stream = this.#mux.streams.get(streamId);
      if (stream !== null) {
        this.#mux.close(stream);
        stream.onPeerReset(readUint32(bytes, start));
      }
      this.#mux.count('resets');
    }
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const ack = (flags & ACK) !== 0;
    if (streamId !== 0) this.#mux.fail(PROTOCOL_ERROR, 'SETTINGS on a stream');
    else if (ack ? length !== 0 : length % 6 !== 0)
      this.#mux.fail(FRAME_SIZE_ERROR, `SETTINGS of ${length} octets`);
    else if (ack) return;
    else {
      this.#mux.count('settings');
      if (this.#mux.live && this.#mux.reads()) this.#applySettings(bytes, start, end);
    }
  }

  #applySettings(bytes: Buffer, start: number, end: number): void {
    const mux = this.#mux;
    const { peer } = mux;
    const before = peer.streamWindowBytes;
    const first = mux.state === 'awaiting-settings';
    if (first) {
      mux.state = 'open';
      peer.liftInitialCapacity();
    }
    const fault = peer.apply(bytes, start, end);
    if (fault !== '') {
      mux.fail(peer.faultCode, fault);
      return;
    }
    mux.writer.maxFrameBytes = peer.maxFrameBytes;
    mux.encoder.limitTable(peer.headerTableBytes);
    mux.writer.settingsAck();
    if (peer.streamWindowBytes !== before) this.#shiftWindows(peer.streamWindowBytes - before);
    if (mux.live) mux.side.onSettings(first);
  }

  /** §6.9.2: a new initial window applies to the streams that are open, and may make their windows negative. */
  #shiftWindows(difference: number): void {
    for (const stream of this.#mux.streams.all()) {
      stream.sendWindow += difference;
      if (stream.sendWindow > MAX_31) {
        this.#mux.fail(FLOW_CONTROL_ERROR, 'SETTINGS_INITIAL_WINDOW_SIZE makes a window too large');
        return;
      }
      this.#mux.scheduler.refit(stream);
    }
    this.#mux.scheduler.pump();
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) this.#mux.fail(PROTOCOL_ERROR, 'PING on a stream');
    else if (end - start !== 8) this.#mux.fail(FRAME_SIZE_ERROR, 'PING is not of 8 octets');
    else if ((flags & ACK) !== 0) this.#onPingAnswer(readUint32(bytes, start), readUint32(bytes, start + 4));
    else {
      this.#mux.count('pings');
      if (!this.#mux.live || !this.#mux.reads()) return;
      this.#mux.writer.ping(readUint32(bytes, start), readUint32(bytes, start + 4), true);
    }
  }

  #onPingAnswer(high: number, low: number): void {
    const answer = this.#mux.keepalive.answer(high, low);
    if (answer === 'keepalive') this.#mux.observer.onRoundTrip(this.#mux.keepalive.finish(this.#mux.clock()));
    else if (answer === 'drain') this.#mux.side.onDrainAnswer();
  }

  #onGoaway(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId !== 0) {
      this.#mux.fail(PROTOCOL_ERROR, 'GOAWAY on a stream');
    } else if (end - start < 8) {
      this.#mux.fail(FRAME_SIZE_ERROR, 'GOAWAY is too short');
    } else {
      const code = readUint32(bytes, start + 4);
      if (code !== NO_ERROR) {
        const text = JSON.stringify(bytes.latin1Slice(start + 8, Math.min(end, start + 208)));
        this.#mux.observer.onFault(code, `the peer says GOAWAY ${text}`, 'peer');
      }
      this.#mux.side.onGoaway(readUint31(bytes, start), code);
    }
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (end - start !== 4) {
      this.#mux.fail(FRAME_SIZE_ERROR, 'WINDOW_UPDATE is not of 4 octets');
      return;
    }
    this.#mux.count('windowUpdates');
    if (!this.#mux.live) return;
    const increment = readUint31(bytes, start);
    if (streamId === 0) this.#growConnection(increment);
    else this.#growStream(streamId, increment);
  }

  #growConnection(increment: number): void {
    if (increment === 0) {
      this.#mux.fail(PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    } else if (this.#mux.scheduler.window + increment > MAX_31) {
      this.#mux.fail(FLOW_CONTROL_ERROR, 'WINDOW_UPDATE makes the window of the connection too large');
    } else {
      this.#mux.scheduler.window += increment;
      this.#mux.scheduler.pump();
    }
  }

  #growStream(streamId: number, increment: number): void {
    const stream = this.#mux.streams.get(streamId);
    if (stream === null) {
      if (this.#mux.side.isIdle(streamId))
        this.#mux.fail(PROTOCOL_ERROR, `WINDOW_UPDATE on idle stream ${streamId}`);
    } else if (increment === 0) {
      this.#mux.failStream(stream, PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    } else if (stream.sendWindow + increment > MAX_31) {
      this.#mux.failStream(
        stream,
        FLOW_CONTROL_ERROR,
        'WINDOW_UPDATE makes the window of a stream too large',
      );
    } else {
      stream.sendWindow += increment;
      this.#mux.scheduler.refit(stream);
      this.#mux.scheduler.pump();
    }
  }
}
