/** Octets before each message: a flag for compression and the length (gRPC over HTTP/2, Length-Prefixed-Message). */
const PREFIX_BYTES = 5;

/** A message with its prefix, ready to be sent as body bytes. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** Puts messages together from body chunks of any size. */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #onMessage: (message: Buffer) => void;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixLength = 0;
  /** The message being read; null while its prefix is. */
  #message: Buffer | null = null;
  #length = 0;

  /** `maxBytes`: a longer message is a fault. */
  constructor(maxBytes: number, onMessage: (message: Buffer) => void) {
    this.#maxBytes = maxBytes;
    this.#onMessage = onMessage;
  }

  /** A message has begun and is not complete. */
  get partial(): boolean {
    return this.#prefixLength > 0 || this.#message !== null;
  }

  /** Takes bytes, which may be a borrowed buffer. Answers what is wrong with them, '' if nothing is. */
  receive(chunk: Buffer): string {
    let at = 0;
    while (at < chunk.length) {
      if (this.#message === null) {
        at += this.#readPrefix(chunk, at);
        if (this.#prefixLength < PREFIX_BYTES) return '';
        const fault = this.#begin();
        if (fault !== '') return fault;
      }
      at += this.#readBody(chunk, at);
    }
    return '';
  }

  #readPrefix(chunk: Buffer, at: number): number {
    const size = chunk.copy(this.#prefix, this.#prefixLength, at);
    this.#prefixLength += size;
    return size;
  }

  #begin(): string {
    if (this.#prefix[0] !== 0) return 'a message is compressed, which was not offered';
    const length = this.#prefix.readUInt32BE(1);
    if (length > this.#maxBytes) return `a message has ${length} bytes; ${this.#maxBytes} are allowed`;
    this.#prefixLength = 0;
    this.#length = 0;
    this.#message = Buffer.allocUnsafeSlow(length);
    if (length === 0) this.#complete(this.#message);
    return '';
  }

  #readBody(chunk: Buffer, at: number): number {
    const message = this.#message;
    if (message === null) return 0;
    const size = chunk.copy(message, this.#length, at);
    this.#length += size;
    if (this.#length === message.length) this.#complete(message);
    return size;
  }

  #complete(message: Buffer): void {
    this.#message = null;
    this.#onMessage(message);
  }
}
