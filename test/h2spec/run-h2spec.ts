/** Runs h2spec (github.com/summerwind/h2spec) against whatever listens on an address. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MODULE = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible';
const INSTALL_TIMEOUT_MS = 240_000;
const RUN_TIMEOUT_MS = 240_000;
/** How long h2spec waits for each expected frame. A test that passes never waits. */
const FRAME_TIMEOUT_S = 3;

export type Tool = { path: string } | { missing: string };

/**
 * The h2spec program: `H2SPEC` names one; otherwise it is built once per machine by Go, into `TULLE_TOOLS` or a folder
 * of the system's temporary directory.
 */
export async function findH2spec(): Promise<Tool> {
  const given = process.env['H2SPEC'];
  if (given !== undefined)
    return existsSync(given) ? { path: given } : { missing: `H2SPEC is ${given}, which does not exist` };
  const folder = process.env['TULLE_TOOLS'] ?? join(tmpdir(), 'tulle-tools');
  const path = join(folder, 'h2spec');
  if (existsSync(path)) return { path };
  try {
    await run('go', ['version']);
  } catch {
    return { missing: 'Go is not installed, which builds h2spec' };
  }
  try {
    await mkdir(folder, { recursive: true });
    await run('go', ['install', MODULE], {
      env: { ...process.env, GOBIN: folder },
      timeout: INSTALL_TIMEOUT_MS,
    });
    return { path };
  } catch (error) {
    return { missing: `go install of h2spec failed: ${String(error).slice(0, 300)}` };
  }
}

export interface H2specResult {
  passed: number;
  /** Section and description of each test that did not pass, skipped ones too. */
  failed: string[];
}

/**
 * All groups (generic, http2, hpack) in strict mode.
 * @param headerBytes length of the values of long fields: five of them must be longer than the server's largest frame
 */
export async function runH2spec(
  path: string,
  host: string,
  port: number,
  headerBytes: number,
): Promise<H2specResult> {
  const folder = await mkdtemp(join(tmpdir(), 'h2spec-'));
  const report = join(folder, 'report.xml');
  const flags = ['-h', host, '-p', String(port), '-S', '--timeout', String(FRAME_TIMEOUT_S), '-j', report];
  flags.push('--max-header-length', String(headerBytes));
  try {
    // A failed test makes it exit with 1; the report says which.
    await run(path, flags, { timeout: RUN_TIMEOUT_MS, maxBuffer: 16_777_216 }).catch(() => {});
    return readReport(await readFile(report, 'utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The JUnit report: an element per test, with a child if it did not pass. */
function readReport(xml: string): H2specResult {
  const result: H2specResult = { passed: 0, failed: [] };
  for (const [, attributes, children] of xml.matchAll(/<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const section = /package="([^"]*)"/.exec(attributes)?.[1];
    const name = /classname="([^"]*)"/.exec(attributes)?.[1];
    if (/<(failure|error|skipped)/.test(children ?? '')) result.failed.push(`${section}: ${name}`);
    else result.passed++;
  }
  return result;
}
