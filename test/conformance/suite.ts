/** The suite as a program: the one that CONFORMANCE names, the cluster kit's, or one that is built from its Go module. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { kit } from '../cluster/harness/images.ts';
import { buildSuite } from './build-suite.ts';
import { prepareCluster } from './prepare-cluster.ts';

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  /** Tests for a mesh that did not run. */
  readonly skipped: number;
}

/**
 * Runs the suite with these flags added to those that make it one for a mesh; its report goes to `out`/report.yaml. Rejects
 * if the suite comes to no end.
 */
export async function runSuite(useKit: boolean, out: string, flags: readonly string[]): Promise<SuiteResult> {
  const command = process.env.CONFORMANCE ?? join(kit, 'conformance');
  // The kit's own refuses any cluster but the kit's.
  if (process.env.CONFORMANCE !== undefined || (useKit && existsSync(command)))
    return runCommand(command, out, flags);
  const suite = await buildSuite();
  await prepareCluster(suite);
  return runProgram(suite.program, [...meshFlags(out), ...flags]);
}

/** As the kit's `conformance` prints at the end. */
const summary = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

async function runCommand(command: string, out: string, flags: readonly string[]): Promise<SuiteResult> {
  let result: SuiteResult | null = null;
  await lines(command, flags, { ...process.env, CONFORMANCE_OUT: out }, line => {
    process.stdout.write(`${line}\n`);
    const [, passed, failed, skipped] = (summary.exec(line) ?? []).map(Number);
    if (passed !== undefined) result = { passed, failed, skipped };
  });
  if (result === null) throw new Error(`${command} printed no line "N passed, N failed, N skipped"`);
  return result;
}

const meshFlags = (out: string): string[] => [
  '-test.run=TestConformance',
  '-test.v',
  '-test.timeout=60m',
  '-test.parallel=8',
  '--conformance-profiles=MESH-HTTP,MESH-GRPC',
  '--all-features',
  // Without these two just the tests for a mesh are left.
  '--exempt-features=Gateway,ReferenceGrant',
  // None is looked for.
  '--gateway-class=',
  '--namespace-annotations=tulle.dev/inject=enabled',
  `--report-output=${join(out, 'report.yaml')}`,
  '--organization=tulle',
  '--project=tulle',
  '--url=https://tulle.example',
  '--contact=@tulle',
];

async function runProgram(program: string, flags: readonly string[]): Promise<SuiteResult> {
  const began = new Set<string>();
  const results = new Map<string, string>();
  const last: string[] = [];
  const code = await lines(program, flags, process.env, line => {
    last.push(line);
    if (last.length > 40) last.shift();
    const name = /^=== RUN {3}TestConformance\/(Mesh[^/]+)$/.exec(line)?.[1];
    if (name !== undefined) began.add(name);
    const [, result, of] = /^ *--- (PASS|FAIL|SKIP): TestConformance\/(Mesh[^/ ]+) /.exec(line) ?? [];
    if (of === undefined) return;
    results.set(of, result);
  });
  for (const name of [...began].sort()) process.stdout.write(`${results.get(name) ?? 'FAIL'} ${name}\n`);
  // One without a result was cut off.
  const count = (wanted: string): number =>
    [...began].filter(name => (results.get(name) ?? 'FAIL') === wanted).length;
  const result = { passed: count('PASS'), failed: count('FAIL'), skipped: count('SKIP') };
  if (code !== 0) process.stderr.write(`${last.join('\n')}\n`);
  if (code !== 0 && result.failed === 0)
    throw new Error(`the suite ended with ${code}; its last lines are above`);
  process.stdout.write(`\n${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`);
  return result;
}

/** Runs a program to its end, line by line of its output; its exit code. */
async function lines(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void,
): Promise<number> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const { promise: failed, reject } = Promise.withResolvers<never>();
  child.once('error', reject);
  const ended = new Promise<number>(resolve => child.once('close', code => resolve(code ?? -1)));
  const reader = createInterface(child.stdout).on('line', onLine);
  const closed = new Promise(resolve => reader.once('close', resolve));
  const [code] = await Promise.race([Promise.all([ended, closed]), failed]);
  return code;
}
