/** The surroundings of every benchmark: a folder, certificates, and the backend. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Listen, startBackend } from './backends/backend.ts';
import { makeCertificates } from './certificates.ts';
import type { Context } from './proxies/proxy.ts';

/** Runs with the backend up; `contextOf` gives each measurement a folder of its own. The folder stays if it fails. */
export async function withBackend(
  listens: readonly Listen[],
  run: (contextOf: (name: string) => Context) => Promise<void>,
): Promise<void> {
  // So that what was started is ended.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const folder = mkdtempSync(join(tmpdir(), 'tulle-bench-'));
  // nginx started by root reads its files as another user.
  chmodSync(folder, 0o711);
  const certificates = makeCertificates(folder);
  const backend = await startBackend(join(folder, 'backend'), listens);
  try {
    await run(name => ({ folder: join(folder, name), certificates }));
  } finally {
    await Promise.all(backend.map(process => process.stop()));
  }
  rmSync(folder, { recursive: true, force: true });
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
