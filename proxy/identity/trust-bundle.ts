import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { certificatesOf } from '../../runtime/x509/pem.ts';

/** A mounted ConfigMap changes by moving a symbolic link, which file watches miss; so the file is looked at by time. */
const LOOK_MS = 5000;

/** The file with the roots of the mesh; read again when it changes. A file that cannot be used is logged and passed over. */
export class TrustBundleFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #changed: (pem: string) => void;
  #version = '';
  #problem = '';
  #pem = '';
  #cancel: () => void = () => {};

  constructor(path: string, clock: Clock, log: Logger, changed: (pem: string) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#changed = changed;
  }

  /** Reads the file now and then every five seconds. */
  start(): void {
    this.look();
    this.#cancel = this.#clock.after(LOOK_MS, () => this.start());
  }

  stop(): void {
    this.#cancel();
  }

  /** Why the file is not in force; '' if it is. */
  get problem(): string {
    return this.#problem;
  }

  /** Reads the file if it has changed. */
  look(): void {
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version === this.#version) return;
      const pem = readFileSync(this.#path, 'utf8');
      if (certificatesOf(pem).length === 0) {
        this.#refuse('it holds no certificate, PEM');
        return;
      }
      this.#version = version;
      this.#problem = '';
      if (pem === this.#pem) return;
      this.#pem = pem;
      this.#changed(pem);
    } catch (error) {
      this.#refuse((error as Error).message);
    }
  }

  #refuse(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#log.warn({ file: this.#path, problem }, 'trust bundle cannot be read; the last one stays');
  }
}
