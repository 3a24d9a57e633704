/** A process that the demo has started, with its output in a log file of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

export interface Child {
  readonly process: ChildProcess;
  /** Sends SIGTERM and waits for the end; SIGKILL after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

/** Starts `node` with `args`. All children end with this process, however it ends (short of SIGKILL). */
export function startChild(args: readonly string[], env: Record<string, string>, logFile: string): Child {
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH ?? '', NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const exited = once(child, 'exit');
  const orphan = (): void => void child.kill('SIGKILL');
  process.on('exit', orphan);
  child.on('exit', () => process.off('exit', orphan));
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    process: child,
    signal: name => void child.kill(name),
    async stop(deadlineMs) {
      if (!running()) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
      await exited;
      clearTimeout(timer);
    },
    async kill() {
      if (!running()) return;
      child.kill('SIGKILL');
      await exited;
    },
  };
}
