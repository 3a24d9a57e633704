/**
 * Start, readiness, drain and stop of a process. Readiness is a set of named tasks that must be done; stopping runs the
 * registered steps in reverse order of their registration, with one deadline for all.
 */
import type { Logger } from './log.ts';

export interface StopStep {
  name: string;
  run(): Promise<void> | void;
}

export class Lifecycle {
  readonly #tasks = new Map<string, boolean>();
  readonly #steps: StopStep[] = [];
  readonly #log: Logger;
  readonly #deadlineMs: number;
  #stopping: Promise<void> | null = null;

  /** `deadlineMs`: what has not stopped by then is cut off. */
  constructor(log: Logger, deadlineMs: number) {
    this.#log = log;
    this.#deadlineMs = deadlineMs;
  }

  /** Names a condition of readiness; the returned function says whether it holds. */
  task(name: string): (done: boolean) => void {
    this.#tasks.set(name, false);
    return done => {
      if (this.#tasks.get(name) === done) return;
      this.#tasks.set(name, done);
      this.#log.info({ task: name, done, waiting: this.waiting() }, 'readiness');
    };
  }

  /** Names of the tasks that are not done; empty when the process is ready. */
  waiting(): string[] {
    const waiting = [...this.#tasks].filter(([, done]) => !done).map(([name]) => name);
    return this.#stopping === null ? waiting : [...waiting, 'stopping'];
  }

  onStop(step: StopStep): void {
    this.#steps.push(step);
  }

  /** Runs the stop steps once; later calls wait for the same run. */
  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#runSteps(reason);
    return this.#stopping;
  }

  async #runSteps(reason: string): Promise<void> {
    this.#log.info({ reason }, 'stopping');
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<'deadline'>(resolve => {
      timer = setTimeout(resolve, this.#deadlineMs, 'deadline');
    });
    for (const step of this.#steps.toReversed()) {
      try {
        const outcome = await Promise.race([Promise.resolve(step.run()), deadline]);
        if (outcome === 'deadline') {
          this.#log.warn({ step: step.name, deadlineMs: this.#deadlineMs }, 'cut off at the drain deadline');
          break;
        }
      } catch (error) {
        this.#log.error({ step: step.name, err: error }, 'stop step failed');
      }
    }
    clearTimeout(timer);
    this.#log.info('stopped');
  }

  /** Stops on SIGTERM and SIGINT and then ends the process. */
  stopOnSignals(process: NodeJS.Process): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        void this.stop(signal).then(() => process.exit(0));
      });
    }
  }
}
