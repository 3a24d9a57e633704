import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { goInstalled } from '../go-program.ts';
import { findTool, run, type Tool } from '../tool-cache.ts';
import type { InteropPeer } from './interop-peer.ts';

const VERSION = 'v1.85.0';
const SOAK = [
  '--soak_iterations=20',
  '--soak_max_failures=0',
  '--soak_per_iteration_max_acceptable_latency_ms=60000',
  '--soak_overall_timeout_seconds=60',
];

/** grpc-go, built by Go. */
export function findGoPeer(): Promise<Tool<InteropPeer>> {
  return findTool(async () => {
    const programs = ['client', 'server'].map(name => `google.golang.org/grpc/interop/${name}@${VERSION}`);
    const folder = await goInstalled(`grpc-interop-go-${VERSION}`, programs);
    return {
      language: 'Go',
      ownCases: [],
      startServer: port => spawn(join(folder, 'server'), ['--port', String(port)], { stdio: 'ignore' }),
      async runCases(port, cases) {
        const outcomes: Record<string, string> = {};
        for (const name of cases) outcomes[name] = await runCase(join(folder, 'client'), port, name);
        return outcomes;
      },
    };
  });
}

async function runCase(client: string, port: number, name: string): Promise<string> {
  const target = ['--server_host', '127.0.0.1', '--server_port', String(port)];
  try {
    await run(client, [...target, '--test_case', name, ...SOAK], { timeout: 120_000 });
    return 'passed';
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return (stderr || message).trim();
  }
}
