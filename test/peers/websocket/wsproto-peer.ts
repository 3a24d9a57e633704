import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { cachedFolder, findTool, run, type Tool } from '../tool-cache.ts';

const PACKAGES = ['wsproto==1.2.0', 'h11==0.14.0'];
const SCRIPT = join(import.meta.dirname, 'wsproto-peer.py');

export interface WsprotoPeer {
  /** A server that echoes, on the port. */
  startServer(): Promise<{ readonly process: ChildProcess; readonly port: number }>;
  /** What held for its client against 127.0.0.1:port, in order. Rejects with what did not. */
  runClient(port: number): Promise<string[]>;
}

/** wsproto in a virtual environment of Python. */
export function findWsproto(): Promise<Tool<WsprotoPeer>> {
  return findTool(async () => {
    const folder = await cachedFolder(PACKAGES.join('-').replace(/[^\w.-]/g, '_'), async made => {
      await run('python3', ['-m', 'venv', made], { timeout: 60_000 });
      const options = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
      await run(join(made, 'bin', 'python'), [...options, ...PACKAGES], { timeout: 120_000 });
    });
    const python = join(folder, 'bin', 'python');
    return {
      async startServer() {
        const process = spawn(python, [SCRIPT, 'server'], { stdio: ['ignore', 'pipe', 'inherit'] });
        const port = await new Promise<number>((resolve, reject) => {
          process.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
          process.once('exit', code => reject(new Error(`wsproto's server ended with ${code}`)));
        });
        return { process, port };
      },
      async runClient(port) {
        const { stdout } = await run(python, [SCRIPT, 'client', String(port)], { timeout: 60_000 });
        return stdout
          .trim()
          .split('\n')
          .map(line => line.trim());
      },
    };
  });
}
