/** An HTTP/1.1 client that says whatever it is told to. */
import type { Socket } from 'node:net';
import { type Entry, open } from './raw-http2.ts';
import type { VictimPorts } from './victim.ts';

export class RawHttp1 {
  readonly socket: Socket;
  received = '';
  closed = false;
  readonly #waiting = new Set<() => void>();

  constructor(ports: VictimPorts, entry: Entry) {
    this.socket = open(ports, entry, 'tulle-h1');
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      // A body without end is of no interest.
      if (this.received.length > 100_000) this.received = this.received.slice(-1000);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      for (const resolve of this.#waiting) resolve();
    });
  }

  say(text: string): void {
    if (!this.socket.destroyed) this.socket.write(text, 'latin1');
  }

  /** Says one thing after another until the connection ends or `most` are said; waits while the socket is full. */
  async repeat(most: number, attack: (i: number) => string): Promise<void> {
    for (let i = 0; i < most && !this.over; i++) {
      if (!this.socket.destroyed && !this.socket.write(attack(i), 'latin1')) {
        // A socket that is not read any more never drains: then what was said is enough.
        await new Promise<void>(resolve => {
          const timer = setTimeout(go, 500);
          const { socket } = this;
          function go(): void {
            clearTimeout(timer);
            socket.off('drain', go).off('close', go);
            resolve();
          }
          socket.on('drain', go).on('close', go);
        });
        if (this.socket.writableNeedDrain) return;
      }
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  /** Says a little in a turn of its own, so that it arrives by itself. */
  async drip(times: number, piece: (i: number) => string): Promise<void> {
    for (let i = 0; i < times && !this.over; i++) {
      this.say(piece(i));
      await new Promise(resolve => setTimeout(resolve, 1));
    }
  }

  /** An answer has come that ends the connection, or it is closed. */
  get over(): boolean {
    return this.closed || /\r\nconnection: close\r\n/i.test(this.received);
  }

  /** Status of the last answer; 0 without one. */
  get status(): number {
    const statuses = [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)];
    return Number(statuses.at(-1)?.[1] ?? 0);
  }

  untilClosed(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise(resolve => this.#waiting.add(resolve));
  }

  destroy(): void {
    this.socket.destroy();
  }
}
