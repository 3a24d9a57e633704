/**
 * What an application does all the time, over every protocol. Each piece of work has an answer that is known beforehand;
 * anything else, and any error, is a failure. Nothing is tried again but what HTTP/2 says was not processed (RFC 9113 §8.7).
 */
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import type { Random } from '../fuzz/http1/random.ts';
import { CHAT } from './applications.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export type Protocol = 'http1' | 'http2' | 'grpc' | 'tcp' | 'websocket';

/** A way to do one piece of work; throws if the answer is not the right one. */
interface Worker {
  readonly protocol: Protocol;
  work(): Promise<void>;
  close(): void;
}

const MAX_BODY_BYTES = 100_000;
/** Messages of a stream, and the most time between two of them: 1.5 s for a stream at most. */
const MESSAGES = 15;
const MAX_PAUSE_MS = 100;
/** Before the next piece of work, at most. */
const MAX_IDLE_MS = 40;

export class Load {
  /** Pieces of work that were answered. */
  readonly done: Record<Protocol, number> = { http1: 0, http2: 0, grpc: 0, tcp: 0, websocket: 0 };
  readonly failures: string[] = [];
  readonly #random: Random;
  readonly #workers: Worker[];
  readonly #ended: Promise<unknown>;
  #stopped = false;

  /** @param at where a port of the service is called */
  constructor(random: Random, at: (port: string) => Address) {
    this.#random = random;
    this.#workers = [
      ...Array.from({ length: 3 }, () => this.#http1(at('http1'))),
      ...Array.from({ length: 3 }, () => this.#webSocket(at('ws'))),
      ...this.#http2(at('http2'), 3),
      ...Array.from({ length: 3 }, () => this.#grpc(at('grpc'))),
      ...Array.from({ length: 3 }, () => this.#tcp(at('tcp'))),
    ];
    this.#ended = Promise.all(this.#workers.map(worker => this.#run(worker)));
  }

  get total(): number {
    return Object.values(this.done).reduce((sum, count) => sum + count, 0);
  }

  /** Begins nothing more, finishes what is under way, and closes all connections. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
    for (const worker of this.#workers) worker.close();
  }

  async #run({ protocol, work }: Worker): Promise<void> {
    while (!this.#stopped) {
      await sleep(this.#random.below(MAX_IDLE_MS));
      try {
        await work();
        this.done[protocol]++;
      } catch (error) {
        this.failures.push(`${protocol}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  /** Bytes that no other piece of work has. */
  #content(most: number): Buffer {
    const bytes = Buffer.alloc(1 + this.#random.below(most), `${this.#random.below(1_000_000_000)};`);
    bytes[bytes.length - 1] = 0x0a;
    return bytes;
  }

  #pause(): Promise<void> {
    return sleep(this.#random.below(MAX_PAUSE_MS));
  }

  /** A kept connection of its own. */
  #http1({ host, port }: Address): Worker {
    const dispatcher = new Agent({ connections: 1, pipelining: 1 });
    return {
      protocol: 'http1',
      work: async () => {
        const body = this.#content(MAX_BODY_BYTES);
        const answer = await request(`http://${host}:${port}/`, { dispatcher, method: 'POST', body });
        const received = Buffer.from(await answer.body.arrayBuffer());
        if (answer.statusCode !== 200)
          throw new Error(`${answer.statusCode} ${String(answer.headers['tulle-error'])}`);
        expectEqual(received, body);
      },
      close: () => void dispatcher.destroy(),
    };
  }

  /** Workers that share a connection, until it is told to go. */
  #http2({ host, port }: Address, workers: number): Worker[] {
    let session: ClientHttp2Session | null = null;
    const open = (): ClientHttp2Session => {
      if (session !== null) return session;
      const opened = connectHttp2(`http://${host}:${port}`);
      session = opened;
      const forget = (): void => {
        if (session === opened) session = null;
      };
      opened.on('goaway', () => {
        forget();
        opened.close();
      });
      opened.on('error', forget);
      opened.on('close', forget);
      return opened;
    };
    const work = async (): Promise<void> => {
      const body = this.#content(MAX_BODY_BYTES);
      const stream = open().request({ ':method': 'POST', ':path': '/', ':authority': 'orders' });
      stream.on('error', () => {});
      stream.end(body);
      const headers = once(stream, 'response');
      headers.catch(() => {});
      let received: Buffer;
      try {
        received = await buffer(stream);
      } catch (error) {
        if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return work();
        throw new Error(`${String(error)}, RST ${stream.rstCode}`, { cause: error });
      }
      if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return work();
      const [{ ':status': status, 'tulle-error': failure }] = await headers;
      if (status !== 200) throw new Error(`${status} ${failure}`);
      expectEqual(received, body);
    };
    const close = (): void => session?.destroy();
    return Array.from({ length: workers }, () => ({ protocol: 'http2', work, close }));
  }

  /** A stream of messages on a channel of its own. */
  #grpc({ host, port }: Address): Worker {
    const client = new Client(`${host}:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.default_authority': 'orders',
    });
    return {
      protocol: 'grpc',
      work: async () => {
        const call = client.makeBidiStreamRequest(CHAT.path, CHAT.requestSerialize, CHAT.responseDeserialize);
        const received: Buffer[] = [];
        const sent: Buffer[] = [];
        const ended = new Promise<void>((resolve, reject) => {
          call.on('data', (message: Buffer) => received.push(message));
          call.on('error', reject);
          call.on('end', resolve);
        });
        ended.catch(() => {});
        for (let i = 0; i < MESSAGES; i++) {
          await this.#pause();
          sent.push(this.#content(1000));
          call.write(sent[i]);
        }
        call.end();
        await ended;
        expectEqual(Buffer.concat(received), Buffer.concat(sent));
      },
      close: () => client.close(),
    };
  }

  /** A connection for each piece of work. */
  #tcp({ host, port }: Address): Worker {
    return {
      protocol: 'tcp',
      work: async () => {
        const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
        const received = buffer(socket);
        received.catch(() => {});
        const sent: Buffer[] = [];
        try {
          for (let i = 0; i < MESSAGES; i++) {
            await this.#pause();
            sent.push(this.#content(10_000));
            socket.write(sent[i]);
          }
          socket.end();
          expectEqual(await received, Buffer.concat(sent));
        } finally {
          socket.destroy();
        }
      },
      close() {},
    };
  }

  #webSocket({ host, port }: Address): Worker {
    return {
      protocol: 'websocket',
      work: async () => {
        const socket = new WebSocket(`ws://${host}:${port}/`);
        const closed = once(socket, 'close');
        closed.catch(() => {});
        await once(socket, 'open');
        for (let i = 0; i < MESSAGES; i++) {
          await this.#pause();
          const sent = this.#content(1000);
          const answer = Promise.race([once(socket, 'message'), closed.then(() => [null])]);
          socket.send(sent);
          const [received] = await answer;
          if (received === null) throw new Error(`closed before the answer to message ${i}`);
          expectEqual(received as Buffer, sent);
        }
        socket.close(1000);
        const [code] = await closed;
        if (code !== 1000) throw new Error(`closed with ${code}`);
      },
      close() {},
    };
  }
}

function expectEqual(received: Buffer, expected: Buffer): void {
  if (received.equals(expected)) return;
  throw new Error(
    received.length < expected.length
      ? `${received.length} bytes of ${expected.length} came back`
      : 'other bytes came back',
  );
}
