/** Starts the processes of a way, the one that takes the load first. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listening, type Running, start } from '../process.ts';
import type { Started } from './proxy.ts';

export interface HopProcess {
  /** Where it listens, host:port. */
  address: string;
  /** Configuration file's name and text; written into a folder of the process's own. */
  file: string;
  configuration: (folder: string) => string;
  command: string;
  args: (file: string, folder: string) => string[];
}

export async function startHops(folder: string, processes: readonly HopProcess[]): Promise<Started> {
  const running: Running[] = [];
  for (const [index, hop] of processes.entries()) {
    const own = join(folder, String(index));
    mkdirSync(own, { recursive: true });
    const file = join(own, hop.file);
    writeFileSync(file, hop.configuration(own));
    running.push(start(hop.command, hop.args(file, own), join(own, 'log')));
    const [host, port] = hop.address.split(':');
    await listening(host, Number(port));
  }
  return {
    url: `http://${processes[0].address}/`,
    pids: running.map(({ pid }) => pid),
    stop: async () => {
      await Promise.all(running.map(process => process.stop()));
    },
  };
}
