import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A client in a process of its own, with its lines. */
export class ClientProcess {
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const child = this.#child;
    if (child.stdout !== null) createInterface(child.stdout).on('line', line => this.lines.push(line));
    if (child.stderr !== null) createInterface(child.stderr).on('line', line => this.errors.push(line));
    this.#exited = new Promise(resolve => child.on('close', () => resolve()));
    child.on('error', error => this.errors.push(String(error)));
  }

  /** Writes a line to standard input. */
  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Closes standard input; kills the process if it does not end by itself. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Ends a process that does not read its input. */
  async terminate(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.stop();
  }
}
