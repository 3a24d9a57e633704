import { type ChildProcess, fork } from 'node:child_process';

/** A process that does what it is told over IPC, one order at a time: this side of it. */
export class Child<Order> {
  readonly #process: ChildProcess;
  #answer: ((message: { answer?: unknown; error?: string }) => void) | null = null;
  #last: Promise<unknown> = Promise.resolve();

  /** @param file name of a module in this folder that calls {@link serve} */
  constructor(file: string) {
    this.#process = fork(new URL(file, import.meta.url), { execArgv: ['--expose-gc'] });
    this.#process.on('message', message => this.#answer?.(message as { answer?: unknown }));
    this.#process.on('exit', code => this.#answer?.({ error: `${file} died (${code})` }));
  }

  /** Rejects with what went wrong there. */
  ask(order: Order): Promise<unknown> {
    const answer = this.#last.then(() => this.#ask(order));
    this.#last = answer.catch(() => {});
    return answer;
  }

  #ask(order: Order): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#answer = ({ answer, error }) => {
        if (error === undefined) resolve(answer);
        else reject(new Error(error));
      };
      this.#process.send(order as object);
    });
  }

  stop(): void {
    this.#process.disconnect();
  }
}

/** The other side. The process ends with who started it. */
export function serve<Order>(obey: (order: Order) => unknown): void {
  const answer = async (order: Order): Promise<void> => {
    try {
      process.send?.({ answer: await obey(order) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? error.stack : String(error) });
    }
  };
  process.on('message', order => void answer(order as Order));
  process.on('disconnect', () => process.exit());
}
