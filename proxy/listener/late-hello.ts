import type { Clock } from '../../runtime/clock.ts';
import type { Splice } from '../exchange/splice.ts';
import type { ResetReason } from '../exchange/stream.ts';
import type { TimerWheel } from '../exchange/timer-wheel.ts';
import { readClientHello } from './client-hello.ts';
import type { Stage } from './downstream-connection.ts';
import { FirstBytes } from './first-bytes.ts';

export interface LateHelloOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** For the rest of a hello that has begun, ms. */
  readonly headTimeoutMs: number;
  /** Whether a client with these protocols in its ClientHello is one of the mesh. */
  readonly isMesh: (alpn: readonly string[]) => boolean;
  /** The bytes are the hello of a sidecar; the splice is withdrawn. */
  readonly onMesh: (bytes: Buffer) => void;
  /** It is no sidecar, or cannot be served as one any more: what is held of it is for the splice. */
  readonly onPlain: (bytes: Buffer, ended: boolean) => void;
}

/**
 * A connection that said nothing in time, and was connected to the application because that may have to speak first. As long
 * as neither side has said anything, it may still turn out that the client is a sidecar whose ClientHello was lost or late.
 */
export class LateHello implements Stage {
  readonly active = 1;
  readonly #splice: Splice;
  readonly #first: FirstBytes<'mesh' | 'other'>;

  constructor(options: LateHelloOptions, splice: Splice) {
    const { clock, wheel, headTimeoutMs, isMesh, onMesh, onPlain } = options;
    this.#splice = splice;
    this.#first = new FirstBytes(
      clock,
      wheel,
      // Until the first byte, how long is for the splice to say.
      { detectTimeoutMs: Number.POSITIVE_INFINITY, headTimeoutMs, idleTimeoutMs: Number.POSITIVE_INFINITY },
      bytes => {
        const hello = readClientHello(bytes);
        if (hello.kind === 'incomplete') return null;
        return hello.kind === 'hello' && isMesh(hello.alpn) ? 'mesh' : 'other';
      },
      (verdict, bytes, ended) => {
        if (verdict !== 'mesh') return onPlain(bytes, ended);
        splice.withdraw();
        onMesh(bytes);
      },
    );
  }

  /** The application has spoken: who takes that for TLS is lost anyway. */
  serverSpoke(): void {
    this.#first.giveUp();
  }

  receive(bytes: Buffer): void {
    this.#first.receive(bytes);
  }

  receiveEnd(): void {
    this.#first.receiveEnd();
  }

  closed(reason: ResetReason): void {
    this.#first.closed();
    this.#splice.closed(reason);
  }

  tick(nowMs: number): void {
    this.#splice.tick(nowMs);
  }

  drain(): void {
    this.#splice.drain();
  }

  cutOff(): void {
    this.#first.closed();
    this.#splice.cutOff();
  }

  destroy(): void {
    this.#first.closed();
    this.#splice.destroy();
  }
}
