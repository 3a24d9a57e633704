/**
 * Time from exec to ready of Tulle's sidecar: the identity is signed and the configuration of the pod is there, from a
 * control plane on the same machine.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Context } from './proxies/proxy.ts';
import { tulle } from './proxies/tulle.ts';

/** The sidecar's log line when the last of its tasks is done. */
const READY = '"waiting":[]';

const words = (file: string): string[] => readFileSync(file, 'utf8').split('\0').slice(0, -1);

/** Command line and environment of a running process. */
function commandOf(pid: number): { command: string[]; env: Record<string, string> } {
  const pairs = words(`/proc/${pid}/environ`).map(pair => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return { command: words(`/proc/${pid}/cmdline`), env: Object.fromEntries(pairs) };
}

/** ms until the process says that it is ready; it is ended then. */
async function startOnce({
  command: [program, ...args],
  env,
}: ReturnType<typeof commandOf>): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  let elapsed = Number.NaN;
  for await (const line of createInterface(child.stdout)) {
    if (!line.includes(READY)) continue;
    elapsed = performance.now() - started;
    break;
  }
  child.kill('SIGKILL');
  await exited;
  if (Number.isNaN(elapsed)) throw new Error('the sidecar ended before it was ready');
  return elapsed;
}

/** Milliseconds of so many starts, one after the other, of the client's sidecar of the benchmark. */
export async function measureStarts(count: number, context: Context): Promise<number[]> {
  const { pids, stop } = await tulle.start('http1', context);
  try {
    const command = commandOf(pids[0]);
    process.kill(pids[0], 'SIGKILL');
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await startOnce(command));
    return times;
  } finally {
    await stop();
  }
}
