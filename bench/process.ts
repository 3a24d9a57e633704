/** Processes under measurement: started, watched through /proc, ended by their pid. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** Clock ticks a second in /proc/<pid>/stat; a constant of the kernel's interface on Linux. */
const TICKS_PER_SECOND = 100;

export interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

export function start(command: string, args: readonly string[], logFile: string, env = process.env): Running {
  const log = openSync(logFile, 'a');
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', log, log], env });
  if (child.pid === undefined) throw new Error(`cannot start ${command}`);
  const exited = once(child, 'exit');
  const orphan = (): void => void child.kill('SIGTERM');
  process.on('exit', orphan);
  child.on('exit', () => process.off('exit', orphan));
  return {
    pid: child.pid,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      // Not SIGKILL: the workers of a killed master would go on and share the next run's connections.
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Fields of /proc/<pid>/stat after the name, which may contain anything; null if the process is gone. */
function stat(pid: string | number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** A process and its children: master and workers count together. */
function family(pid: number): number[] {
  const pids = [pid];
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry) && Number(stat(entry)?.[1]) === pid) pids.push(Number(entry));
  }
  return pids;
}

/** Seconds of CPU, user and system, that a process and its children have used. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const member of family(pid)) {
    const fields = stat(member);
    if (fields !== null) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/**
 * Private memory in MiB that a further process would need as well: anonymous and written pages. Clean pages of the
 * program's file are left out; whether they count as private depends on how many instances happen to run.
 */
export function privateMemory(pid: number): number {
  let kilobytes = 0;
  for (const member of family(pid)) {
    const rollup = readFileSync(`/proc/${member}/smaps_rollup`, 'utf8');
    for (const match of rollup.matchAll(/^Private_Dirty:\s+(\d+) kB$/gm)) kilobytes += Number(match[1]);
  }
  return kilobytes / 1024;
}

async function accepts(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  const outcome = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return outcome;
}

/** Throws if the port is taken: what a run that was killed has left behind would be measured instead. */
export async function expectFree(host: string, port: number): Promise<void> {
  if (await accepts(host, port))
    throw new Error(`${host}:${port} is in use; does another benchmark run, or a process of an earlier one?`);
}

/** Resolves when the port accepts connections. */
export async function listening(host: string, port: number, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await accepts(host, port)) return;
    if (performance.now() > deadline)
      throw new Error(`nothing listens on ${host}:${port} after ${timeoutMs} ms`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** The first version number in what a program says of itself, which may begin with its path; '' if there is none. */
export function versionOf(program: string, option: string): string {
  const { stdout, stderr } = spawnSync(program, [option], { encoding: 'utf8' });
  return /\d+\.\d+[.\w]*/.exec(`${stdout}${stderr}`.replaceAll(program, ''))?.[0] ?? '';
}

/** Path of a program, or null. */
export function find(program: string): string | null {
  const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}
