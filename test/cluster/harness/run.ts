import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
export async function run(
  program: string,
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<RunResult> {
  const child = spawn(program, args, { stdio: 'pipe', env: options.env ?? process.env });
  const { promise: failed, reject } = Promise.withResolvers<never>();
  child.once('error', reject);
  const ended = new Promise<number>(resolve => child.once('close', code => resolve(code ?? -1)));
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const [stdout, stderr, code] = await Promise.race([
    Promise.all([text(child.stdout), text(child.stderr), ended]),
    failed,
  ]);
  return { code, stdout, stderr };
}

/** Runs a program that must succeed; its output. */
export async function must(program: string, args: readonly string[], options = {}): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed (${code}):\n${stdout}${stderr}`);
  return stdout;
}
