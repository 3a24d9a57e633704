/** SETTINGS of both sides (RFC 9113 §6.5.2, RFC 8441 §3). */
import { FLOW_CONTROL_ERROR, PROTOCOL_ERROR } from './error-code.ts';
import {
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  MAX_31,
  readUint32,
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_FRAME_SIZE,
  SETTINGS_MAX_HEADER_LIST_SIZE,
} from './frame.ts';
import { DEFAULT_TABLE_BYTES } from './hpack/static-table.ts';
import type { Http2Limits } from './limits.ts';

const SETTING_BYTES = 6;
const LARGEST_FRAME_BYTES = 16_777_215;
/** Streams that a client opens before it has seen the server's SETTINGS. */
const CAPACITY_BEFORE_SETTINGS = 100;

/** What the peer told us; the initial values are those that hold before it did. */
export class PeerSettings {
  headerTableBytes = DEFAULT_TABLE_BYTES;
  maxConcurrentStreams = CAPACITY_BEFORE_SETTINGS;
  streamWindowBytes = DEFAULT_WINDOW_BYTES;
  maxFrameBytes = DEFAULT_FRAME_BYTES;
  /** Infinity if it did not say. */
  maxHeaderListBytes = Infinity;
  extendedConnect = false;
  /** The peer has said something. */
  known = false;
  /** RFC 9113 §7 code of the last failed {@link apply}. */
  faultCode = 0;

  /** Applies a SETTINGS payload. Returns '' or what makes it a connection error with {@link faultCode}. */
  apply(bytes: Buffer, start: number, end: number): string {
    for (let at = start; at < end; at += SETTING_BYTES) {
      const fault = this.#set((bytes[at] << 8) | bytes[at + 1], readUint32(bytes, at + 2));
      if (fault !== '') return fault;
    }
    return '';
  }

  /** The first SETTINGS of a server that names no limit: there is none (RFC 9113 §6.5.2). */
  liftInitialCapacity(): void {
    this.maxConcurrentStreams = MAX_31;
    this.known = true;
  }

  #set(identifier: number, value: number): string {
    switch (identifier) {
      case SETTINGS_HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return '';
      case SETTINGS_ENABLE_PUSH:
        return value <= 1 ? '' : this.#fault(PROTOCOL_ERROR, `SETTINGS_ENABLE_PUSH is ${value}`);
      case SETTINGS_MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = Math.min(value, MAX_31);
        return '';
      case SETTINGS_INITIAL_WINDOW_SIZE:
        if (value > MAX_31)
          return this.#fault(FLOW_CONTROL_ERROR, `SETTINGS_INITIAL_WINDOW_SIZE is ${value}`);
        this.streamWindowBytes = value;
        return '';
      case SETTINGS_MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_BYTES || value > LARGEST_FRAME_BYTES) {
          return this.#fault(PROTOCOL_ERROR, `SETTINGS_MAX_FRAME_SIZE is ${value}`);
        }
        this.maxFrameBytes = value;
        return '';
      case SETTINGS_MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value;
        return '';
      case SETTINGS_ENABLE_CONNECT_PROTOCOL:
        if (value > 1) return this.#fault(PROTOCOL_ERROR, `SETTINGS_ENABLE_CONNECT_PROTOCOL is ${value}`);
        this.extendedConnect = value === 1;
        return '';
      default:
        return '';
    }
  }

  #fault(code: number, text: string): string {
    this.faultCode = code;
    return text;
  }
}

function common(limits: Readonly<Http2Limits>): number[] {
  const settings = [
    SETTINGS_INITIAL_WINDOW_SIZE,
    limits.streamWindowBytes,
    SETTINGS_MAX_FRAME_SIZE,
    limits.maxFrameBytes,
    SETTINGS_MAX_HEADER_LIST_SIZE,
    limits.maxHeaderListBytes,
  ];
  if (limits.headerTableBytes > DEFAULT_TABLE_BYTES) {
    settings.push(SETTINGS_HEADER_TABLE_SIZE, limits.headerTableBytes);
  }
  return settings;
}

export function serverSettings(limits: Readonly<Http2Limits>): number[] {
  return [
    SETTINGS_MAX_CONCURRENT_STREAMS,
    limits.maxConcurrentStreams,
    SETTINGS_ENABLE_CONNECT_PROTOCOL,
    1,
    ...common(limits),
  ];
}

export function clientSettings(limits: Readonly<Http2Limits>): number[] {
  return [SETTINGS_ENABLE_PUSH, 0, ...common(limits)];
}
