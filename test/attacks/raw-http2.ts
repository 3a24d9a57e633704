/** An HTTP/2 client that says whatever it is told to, byte for byte. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { CLIENT_PREFACE } from '../../proxy/http2/frame.ts';
import { frame, settings as settingsPayload, type WireFrame } from '../../proxy/http2/testing/wire.ts';
import type { VictimPorts } from './victim.ts';

/** Ways into a sidecar: an application's connection, a stranger's, another sidecar's. */
export type Entry = 'outbound' | 'plaintext' | 'mtls';
export const ENTRIES: readonly Entry[] = ['outbound', 'plaintext', 'mtls'];

export function open(ports: VictimPorts, entry: Entry, alpn = 'tulle-h2'): Socket {
  if (entry === 'outbound') return connectTcp(ports.outbound, '127.0.0.1');
  if (entry === 'plaintext') return connectTcp(ports.inbound, '127.0.0.1');
  const { ca, cert, key, inbound } = ports;
  return connectTls({
    host: '127.0.0.1',
    port: inbound,
    ca,
    cert,
    key,
    ALPNProtocols: [alpn],
    minVersion: 'TLSv1.3',
    checkServerIdentity: () => undefined,
  });
}

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const ACK = frame(SETTINGS, 1, 0);

export class RawHttp2 {
  readonly socket: Socket;
  /** Error code of the last GOAWAY; -1 before one. */
  goaway = -1;
  /** Error codes of RST_STREAM, by stream. */
  readonly resets = new Map<number, number>();
  /** Header blocks of answers as they came: decoding them needs a table that hostile clients have no use for. */
  readonly heads = new Map<number, Buffer>();
  readonly bytes = new Map<number, number>();
  closed = false;
  /** Octets sent and taken by the operating system. */
  sent = 0;
  #greeted = false;
  #pings = 0;
  #ponged = '';
  #rest: Buffer = Buffer.alloc(0);
  readonly #waiting = new Set<() => void>();

  constructor(ports: VictimPorts, entry: Entry, alpn?: string) {
    this.socket = open(ports, entry, alpn);
    this.socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.#changed();
    });
  }

  /** Preface and SETTINGS, as identifier, value, ... */
  greet(...pairs: number[]): void {
    this.#greeted = true;
    this.say(CLIENT_PREFACE, frame(SETTINGS, 0, 0, settingsPayload(...pairs)));
  }

  say(...parts: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(parts.length === 1 ? parts[0] : Buffer.concat(parts));
  }

  /** Says one batch after another until the connection ends or `most` are said; waits while the socket is full. */
  async repeat(most: number, attack: (i: number) => readonly Buffer[]): Promise<void> {
    const perWrite = 100;
    for (let i = 0; i < most && !this.over; i += perWrite) {
      const parts: Buffer[] = [];
      for (let k = i; k < Math.min(most, i + perWrite); k++) parts.push(...attack(k));
      const bytes = Buffer.concat(parts);
      this.sent += bytes.length;
      if (!this.socket.destroyed && !this.socket.write(bytes)) {
        await new Promise<void>(resolve => {
          const go = (): void => {
            this.socket.off('drain', go).off('close', go);
            resolve();
          };
          this.socket.on('drain', go).on('close', go);
        });
      }
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  get over(): boolean {
    return this.closed || this.goaway >= 0;
  }

  /** Until what was said has been judged. */
  async roundTrip(): Promise<void> {
    const payload = `ping ${String(++this.#pings).padStart(3)}`;
    this.say(frame(PING, 0, 0, payload));
    await this.until(() => this.#ponged === payload || this.over);
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #receive(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + 9 <= this.#rest.length) {
      const end = at + 9 + this.#rest.readUIntBE(at, 3);
      if (end > this.#rest.length) break;
      this.#frame({
        type: this.#rest[at + 3],
        flags: this.#rest[at + 4],
        id: this.#rest.readUInt32BE(at + 5),
        payload: this.#rest.subarray(at + 9, end),
      });
      at = end;
    }
    this.#rest = this.#rest.subarray(at);
    this.#changed();
  }

  #frame({ type, flags, id, payload }: WireFrame): void {
    if (type === GOAWAY) this.goaway = payload.readUInt32BE(4);
    else if (type === RST_STREAM) this.resets.set(id, payload.readUInt32BE(0));
    else if (type === HEADERS && !this.heads.has(id)) this.heads.set(id, Buffer.from(payload));
    else if (type === DATA) this.bytes.set(id, (this.bytes.get(id) ?? 0) + payload.length);
    else if (type === PING && (flags & 1) !== 0) this.#ponged = payload.toString();
    else if (type === SETTINGS && (flags & 1) === 0 && this.#greeted) this.say(ACK);
  }

  #changed(): void {
    for (const check of this.#waiting) check();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
