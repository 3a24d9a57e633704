/** Starts one process a hop, the one that takes the load first. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectFree, listening, type Running, start } from '../process.ts';
import { type Context, type Hop, hops, type Started, type Way } from './proxy.ts';

/** A proxy that is a program with a configuration file. */
export interface HopProgram {
  name: string;
  /** Address of its own. */
  host: string;
  file: string;
  configuration: (hop: Hop, context: Context) => string;
  command: string;
  /** `folder` is the process's own. */
  args: (file: string, folder: string) => string[];
}

export async function startHops(program: HopProgram, way: Way, context: Context): Promise<Started> {
  const { host } = program;
  const running: Running[] = [];
  const all = hops(way, host);
  for (const [index, hop] of all.entries()) {
    const folder = join(context.folder, program.name, String(index));
    mkdirSync(folder, { recursive: true });
    const file = join(folder, program.file);
    writeFileSync(file, program.configuration(hop, { ...context, folder }));
    await expectFree(host, hop.port);
    running.push(start(program.command, program.args(file, folder), join(folder, 'log')));
    await listening(host, hop.port);
  }
  return {
    target: { host, port: all[0].port },
    server: all.length === 1 ? null : { host, port: all[1].port },
    identity: () => context.certificates,
    pids: running.map(({ pid }) => pid),
    stop: async () => {
      await Promise.all(running.map(process => process.stop()));
    },
  };
}
