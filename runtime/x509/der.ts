/**
 * Reading and writing DER (ITU-T X.690): as much as X.509 certificates and PKCS #10 requests need. The reader takes
 * bytes from strangers and is strict: definite, minimal lengths and one-byte tags only, everything inside its bounds.
 */

/** Tags (X.680 §8.6), with the constructed bit where DER has it. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** `[n]` with content of its own or, if `constructed`, with elements in it. */
export function contextTag(n: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | n;
}

/** Bytes that are not the DER that was expected; the message says what and where. */
export class DerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DerError';
  }
}

const hex = (tag: number): string => `0x${tag.toString(16).padStart(2, '0')}`;

/** Reads elements one after the other. Every method throws {@link DerError} if the bytes are not as expected. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Tag of the next element, -1 at the end. */
  peek(): number {
    return this.atEnd ? -1 : this.#bytes[this.#at];
  }

  /** Content of the next element, which must have this tag. A view, not a copy. */
  read(tag: number): Buffer {
    const { content, end } = this.#next(tag);
    this.#at = end;
    return this.#bytes.subarray(content, end);
  }

  /** The next element as it stands, tag and length included. */
  readWhole(tag: number): Buffer {
    const start = this.#at;
    const { end } = this.#next(tag);
    this.#at = end;
    return this.#bytes.subarray(start, end);
  }

  /** A reader of the content of the next element. */
  enter(tag: number): DerReader {
    return new DerReader(this.read(tag));
  }

  /** To be called when nothing may follow. */
  finish(what: string): void {
    if (!this.atEnd)
      throw new DerError(`${this.#bytes.length - this.#at} bytes are left after the end of ${what}`);
  }

  #next(tag: number): { content: number; end: number } {
    const bytes = this.#bytes;
    const at = this.#at;
    if (at >= bytes.length) throw new DerError(`expected tag ${hex(tag)}, found the end`);
    if (bytes[at] !== tag)
      throw new DerError(`expected tag ${hex(tag)}, found ${hex(bytes[at])} at byte ${at}`);
    const { length, content } = this.#length(at + 1);
    if (length > bytes.length - content) throw new DerError(`the element at byte ${at} is cut off`);
    return { content, end: content + length };
  }

  /** X.690 §8.1.3 and §10.1: the shortest form only. */
  #length(at: number): { length: number; content: number } {
    const bytes = this.#bytes;
    if (at >= bytes.length) throw new DerError('the length is cut off');
    const first = bytes[at];
    if (first < 0x80) return { length: first, content: at + 1 };
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new DerError(`the length at byte ${at} is indefinite or too long`);
    if (at + 1 + count > bytes.length) throw new DerError('the length is cut off');
    const length = bytes.readUIntBE(at + 1, count);
    if (length < 0x80 || length < 256 ** (count - 1)) {
      throw new DerError(`the length at byte ${at} is not in its shortest form`);
    }
    return { length, content: at + 1 + count };
  }
}

/** One element of the given content. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(body.length)]), body]);
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => element(tags.sequence, ...content);

/** A non-negative INTEGER of these bytes, most significant first. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return digits[0] >= 0x80 ? element(tags.integer, Buffer.of(0), digits) : element(tags.integer, digits);
}

/** An OBJECT IDENTIFIER written with dots. */
export function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number);
  return element(tags.oid, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    digits.unshift(0x80 | (rest % 128));
  }
  return digits;
}

/** A BIT STRING; `unused` bits of the last byte do not count. */
export function bitString(bytes: Uint8Array, unused = 0): Buffer {
  return element(tags.bitString, Buffer.of(unused), bytes);
}

/** Content of a BIT STRING that has whole bytes only, as keys and signatures have. */
export function wholeBits(content: Buffer): Buffer {
  if (content.length === 0 || content[0] !== 0) throw new DerError('a BIT STRING has odd bits');
  return content.subarray(1);
}

/** A time in whole seconds: UTCTime until 2049 and GeneralizedTime after (RFC 5280 §4.1.2.5). */
export function time(unixMs: number): Buffer {
  const digits = `${new Date(unixMs).toISOString().replace(/[-:T]|\..*/g, '')}Z`;
  return digits < '2050'
    ? element(tags.utcTime, Buffer.from(digits.slice(2)))
    : element(tags.generalizedTime, Buffer.from(digits));
}
