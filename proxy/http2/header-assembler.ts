/** Joins HEADERS and CONTINUATION into a block and decodes it (RFC 9113 §4.3, §6.10). */
import { COMPRESSION_ERROR, ENHANCE_YOUR_CALM } from './error-code.ts';
import type { HeaderBlock } from './header-block.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import type { Http2LimitName, Http2Limits } from './limits.ts';
import type { Http2Workspace } from './workspace.ts';

/** `idle` → HEADERS without END_HEADERS → `open` → CONTINUATION with END_HEADERS → `idle`. */
export type BlockState = 'idle' | 'open';

export class HeaderAssembler {
  state: BlockState = 'idle';
  /** The stream of the open block, and whether its HEADERS had END_STREAM. */
  streamId = 0;
  endStream = false;
  /** Set by a call that failed. */
  faultCode = 0;
  /** The limit that made it fail, if one did. */
  faultLimit: Http2LimitName | null = null;

  readonly #decoder: HpackDecoder;
  readonly #block: HeaderBlock;
  readonly #limits: Readonly<Http2Limits>;
  #fragments: Buffer[] = [];
  #bytes = 0;

  constructor(workspace: Http2Workspace, limits: Readonly<Http2Limits>) {
    this.#decoder = new HpackDecoder(workspace.strings, limits.headerTableBytes);
    this.#block = workspace.block;
    this.#limits = limits;
  }

  /** Decodes a block that is whole. Returns '' or the text of a connection error. */
  decode(bytes: Buffer, start: number, end: number): string {
    const block = this.#block;
    block.begin(this.#limits.maxHeaderListBytes, this.#limits.maxFieldCount, this.#limits.maxDecodedBytes);
    const fault = this.#decoder.decode(bytes, start, end, block);
    if (fault !== '') return this.#fault(COMPRESSION_ERROR, fault, null);
    if (block.bomb) {
      return this.#fault(
        ENHANCE_YOUR_CALM,
        `a header list of over ${this.#limits.maxDecodedBytes} octets`,
        'maxDecodedBytes',
      );
    }
    return '';
  }

  /** Begins a block whose HEADERS had no END_HEADERS. The fragment is only lent. */
  open(streamId: number, endStream: boolean, fragment: Buffer): string {
    this.state = 'open';
    this.streamId = streamId;
    this.endStream = endStream;
    this.#fragments = [];
    this.#bytes = 0;
    return this.#append(fragment);
  }

  /** Adds a CONTINUATION; with `last`, the block is decoded. */
  add(fragment: Buffer, last: boolean): string {
    const fault = this.#append(fragment);
    if (fault !== '' || !last) return fault;
    const whole = Buffer.concat(this.#fragments, this.#bytes);
    this.#fragments = [];
    this.state = 'idle';
    return this.decode(whole, 0, whole.length);
  }

  #append(fragment: Buffer): string {
    this.#bytes += fragment.length;
    if (this.#bytes > this.#limits.maxHeaderBlockBytes) {
      const text = `a header block of over ${this.#limits.maxHeaderBlockBytes} octets`;
      return this.#fault(ENHANCE_YOUR_CALM, text, 'maxHeaderBlockBytes');
    }
    if (this.#fragments.length > this.#limits.maxContinuations) {
      const text = `over ${this.#limits.maxContinuations} CONTINUATION frames in a header block`;
      return this.#fault(ENHANCE_YOUR_CALM, text, 'maxContinuations');
    }
    this.#fragments.push(Buffer.from(fragment));
    return '';
  }

  #fault(code: number, text: string, limit: Http2LimitName | null): string {
    this.faultCode = code;
    this.faultLimit = limit;
    return text;
  }
}
