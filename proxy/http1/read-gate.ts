import type { Transport } from '../transport/transport.ts';

/** Unconsumed body bytes above which reading stops; it starts again below half of them. */
const HIGH_WATER = 65_536;

/** Stops and starts the reading of a connection: by body bytes that nobody has consumed yet, and by hand. */
export class ReadGate {
  readonly #transport: Transport;
  #outstanding = 0;
  #full = false;
  #shut = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Reading is stopped. */
  get closed(): boolean {
    return this.#full || this.#shut;
  }

  /** Counts body bytes before they are handed to their receiver. */
  delivered(bytes: number): void {
    this.#outstanding += bytes;
  }

  /** Stops reading if the receiver has not consumed enough; called after it returned. */
  check(): void {
    if (this.#full || this.#outstanding <= HIGH_WATER) return;
    this.#full = true;
    if (!this.#shut) this.#transport.pause();
  }

  consumed(bytes: number): void {
    this.#outstanding -= bytes;
    if (this.#full && this.#outstanding * 2 < HIGH_WATER) this.#notFull();
  }

  /** Forgets what is outstanding: its receiver is gone. */
  reset(): void {
    this.#outstanding = 0;
    if (this.#full) this.#notFull();
  }

  #notFull(): void {
    this.#full = false;
    if (!this.#shut) this.#transport.resume();
  }

  /** Stops reading until {@link open}. */
  close(): void {
    if (this.#shut) return;
    this.#shut = true;
    if (!this.#full) this.#transport.pause();
  }

  open(): void {
    if (!this.#shut) return;
    this.#shut = false;
    if (!this.#full) this.#transport.resume();
  }
}
