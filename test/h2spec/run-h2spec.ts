/** Runs h2spec (github.com/summerwind/h2spec) against whatever listens on an address. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findGoProgram } from '../peers/go-program.ts';
import type { Tool } from '../peers/tool-cache.ts';

const run = promisify(execFile);
const RUN_TIMEOUT_MS = 240_000;
/** How long h2spec waits for each expected frame. A test that passes never waits. */
const FRAME_TIMEOUT_S = 3;

/** The h2spec program: `H2SPEC` names one; otherwise it is built once per machine by Go. */
export function findH2spec(): Promise<Tool<{ readonly path: string }>> {
  return findGoProgram('H2SPEC', 'github.com/summerwind/h2spec/cmd/h2spec', 'v2.2.1+incompatible');
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
