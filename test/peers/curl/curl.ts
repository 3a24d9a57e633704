import { execFile } from 'node:child_process';
import { findTool, run, type Tool } from '../tool-cache.ts';

export interface Curl {
  /** The answer's bytes on stdout, and curl's exit code; 0 is success. */
  (args: readonly string[]): Promise<{ readonly out: Buffer; readonly exit: number; readonly err: string }>;
}

/** curl as it is installed, if it speaks HTTP/2. */
export function findCurl(): Promise<Tool<{ readonly curl: Curl }>> {
  return findTool(async () => {
    const { stdout } = await run('curl', ['--version']).catch(() => {
      throw new Error('curl is not installed');
    });
    if (!/^Features:.*\bHTTP2\b/m.test(stdout)) throw new Error('curl is built without HTTP/2');
    return { curl };
  });
}

const curl: Curl = args =>
  new Promise(resolve => {
    // Loopback is never behind a proxy, whatever the environment says.
    const common = ['--silent', '--show-error', '--noproxy', '*', '--max-time', '60'];
    const options = { encoding: 'buffer', maxBuffer: 100_000_000 } as const;
    const child = execFile('curl', [...common, ...args], options, (error, out, err) =>
      resolve({ out, err: err.toString(), exit: error === null ? 0 : (child.exitCode ?? -1) }),
    );
  });
