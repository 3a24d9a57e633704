/**
 * The Huffman code of RFC 7541, Appendix B. It is canonical (codes count up within a length, symbols in
 * order), so the code lengths are the whole table.
 */
import { ALL, OCTET_CLASS } from './octet-class.ts';

/** Code length of each octet: A is 5 bits, Z is 30. EOS has 30. */
const LENGTHS =
  'ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXX' +
  'BFFHIBDGFFDGDBBBAAABBBBBBBCDKBHF' +
  'IBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJB' +
  'KABABABBBACCBBBABCBAABCCCCCKGJIX' +
  'PRPPRRRSRSSSSSTSTTRSTSSSSQRSRSST' +
  'RQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRS' +
  'VVPORSRUVVVWWVTUOQVWWVWTQQVVXWWW' +
  'PTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWV';
const EOS = 256;
const LONGEST = 30;
/** Codes of up to this many bits, which is all of printable ASCII but five, are decoded by one look. */
const LOOK_BITS = 10;
const LOOK_SIZE = 1 << LOOK_BITS;

const CODE_LENGTHS = Uint8Array.from({ length: 257 }, (_, symbol) =>
  symbol === EOS ? LONGEST : LENGTHS.charCodeAt(symbol) - 60,
);
const CODES = new Uint32Array(257);
/** Canonical decoding of long codes: by length, the first code, the number of codes, and where their symbols begin. */
const FIRST_CODE = new Uint32Array(LONGEST + 1);
const CODE_COUNT = new Uint32Array(LONGEST + 1);
const FIRST_SYMBOL = new Uint32Array(LONGEST + 1);
const SYMBOLS = new Uint16Array(257);
/** By the next LOOK_BITS bits: code length * 256 + symbol, or 0 where the code is longer. */
const LOOK = new Uint16Array(LOOK_SIZE);

function buildTables(): void {
  let code = 0;
  let filled = 0;
  for (let length = 1; length <= LONGEST; length++) {
    code *= 2;
    FIRST_CODE[length] = code;
    FIRST_SYMBOL[length] = filled;
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (CODE_LENGTHS[symbol] !== length) continue;
      CODES[symbol] = code;
      SYMBOLS[filled++] = symbol;
      if (length <= LOOK_BITS) {
        const from = code << (LOOK_BITS - length);
        LOOK.fill((length << 8) | symbol, from, from + (1 << (LOOK_BITS - length)));
      }
      code++;
    }
    CODE_COUNT[length] = code - FIRST_CODE[length];
  }
}
buildTables();

/** A decoder with its result fields, so that decoding returns one number and allocates nothing. */
export class HuffmanDecoder {
  /** AND of the octet classes of what the last {@link decode} wrote. */
  octetClass = ALL;
  #pos = 0;
  #bits = 0;
  #acc = 0;

  /**
   * Decodes bytes[pos, end) into `out`, which must have room for 8/5 of the input.
   * @returns octets written, or -1: EOS in the string, or padding that is longer than 7 bits or not of ones (§5.2)
   */
  decode(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
    let pos = start;
    let acc = 0;
    let bits = 0;
    let written = 0;
    let octetClass = ALL;
    for (;;) {
      while (bits <= 16 && pos < end) {
        acc = (acc << 8) | bytes[pos++];
        bits += 8;
      }
      if (bits === 0) break;
      // Behind the end the input is continued with ones, as the padding is.
      const look =
        bits >= LOOK_BITS
          ? (acc >>> (bits - LOOK_BITS)) & (LOOK_SIZE - 1)
          : ((acc << (LOOK_BITS - bits)) | ((1 << (LOOK_BITS - bits)) - 1)) & (LOOK_SIZE - 1);
      const entry = LOOK[look];
      let symbol = entry & 0xff;
      if (entry !== 0) {
        const length = entry >>> 8;
        if (length > bits) return -1;
        bits -= length;
      } else {
        if (bits < 8 && look === LOOK_SIZE - 1) break;
        this.#pos = pos;
        this.#bits = bits;
        this.#acc = acc;
        symbol = this.#long(bytes, end);
        if (symbol < 0 || symbol === EOS) return -1;
        pos = this.#pos;
        bits = this.#bits;
        acc = this.#acc;
      }
      octetClass &= OCTET_CLASS[symbol];
      out[written++] = symbol;
    }
    this.octetClass = octetClass;
    return written;
  }

  /** Bit by bit: only for codes that are longer than LOOK_BITS. */
  #long(bytes: Uint8Array, end: number): number {
    let code = 0;
    for (let length = 1; length <= LONGEST; length++) {
      if (this.#bits === 0) {
        if (this.#pos === end) return -1;
        this.#acc = bytes[this.#pos++];
        this.#bits = 8;
      }
      this.#bits--;
      code = code * 2 + ((this.#acc >>> this.#bits) & 1);
      const rank = code - FIRST_CODE[length];
      if (rank >= 0 && rank < CODE_COUNT[length]) return SYMBOLS[FIRST_SYMBOL[length] + rank];
    }
    return -1;
  }
}

/** Octets that `text` (latin1) takes when Huffman-coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_LENGTHS[text.charCodeAt(i) & 0xff];
  return (bits + 7) >>> 3;
}

/** Writes the code of `text` (latin1) at `offset`, with room for {@link huffmanLength}. Returns the end. */
export function huffmanEncode(text: string, out: Uint8Array, offset: number): number {
  let acc = 0;
  let bits = 0;
  let at = offset;
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i) & 0xff;
    let length = CODE_LENGTHS[octet];
    const code = CODES[octet];
    // At most 7 bits wait, and 24 more fit into the accumulator.
    if (length > 24) {
      length -= 24;
      acc = (acc << length) | (code >>> 24);
      bits += length;
      while (bits >= 8) {
        bits -= 8;
        out[at++] = acc >>> bits;
      }
      length = 24;
    }
    acc = (acc << length) | (code & 0xff_ffff);
    bits += length;
    while (bits >= 8) {
      bits -= 8;
      out[at++] = acc >>> bits;
    }
  }
  if (bits > 0) out[at++] = (acc << (8 - bits)) | (0xff >>> bits);
  return at;
}
