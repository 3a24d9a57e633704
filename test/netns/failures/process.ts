/** Programs that run in a pod and are spoken to over the IPC channel: a message in, an answer out. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Pod } from './network.ts';

/** The proxy's uid, by which the redirection tells its connections from the application's. */
export const PROXY_UID = 14337;
export const APP_UID = 1000;

/** In the program: answers messages; ready from now on. Becomes the user that the environment names. */
export function serve<Request>(answer: (request: Request) => unknown): void {
  const uid = Number(process.env['UID']);
  process.setgid?.(uid);
  process.setuid?.(uid);
  process.on('message', (message: { readonly id: number; readonly request: Request }) => {
    void Promise.resolve(answer(message.request)).then(value => process.send?.({ id: message.id, value }));
  });
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
}

/** In the test: one program in one pod. */
export class PodProcess<Request> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  #last = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start<Request>(
    pod: Pod,
    uid: number,
    program: string,
    args: readonly string[] = [],
  ): Promise<PodProcess<Request>> {
    const path = new URL(`./${program}`, import.meta.url).pathname;
    const child = spawn('ip', ['netns', 'exec', pod.namespace, process.execPath, path, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { PATH: process.env['PATH'], UID: String(uid) },
    });
    const [first] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
    if (first !== 'ready') throw new Error(`${program} in ${pod.name} has ended (${String(first)})`);
    const started = new PodProcess<Request>(child);
    child.on('message', (message: { readonly id: number; readonly value: unknown }) => {
      started.#waiting.get(message.id)?.(message.value);
      started.#waiting.delete(message.id);
    });
    return started;
  }

  /** What it answers is the caller's to know. */
  ask<Value>(request: Request): Promise<Value> {
    const id = ++this.#last;
    return new Promise(resolve => {
      this.#waiting.set(id, resolve as (value: unknown) => void);
      this.#child.send({ id, request });
    });
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
