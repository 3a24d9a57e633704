/**
 * The mesh tests of Gateway API's conformance suite, unmodified, against Tulle on the cluster that KUBECONFIG names or that
 * the cluster kit starts. What it takes is in docs/conformance/README.md.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { controlPlaneName, systemNamespace } from '../../api/installation.ts';
import { version } from '../../api/version.ts';
import { meshName } from '../../control-plane/status/mesh-status.ts';
import { repository } from '../cluster/harness/images.ts';
import { kubectl } from '../cluster/harness/kubectl.ts';
import { install, uninstall, useCluster } from '../cluster/harness/setup.ts';
import { runSuite, type SuiteResult } from './suite.ts';

/** Tests of the profiles MESH-HTTP and MESH-GRPC in v1.6.1. */
const MESH_TESTS = 22;

const { values, positionals } = parseArgs({
  options: {
    /** The suite from its Go module, also where a kit has one. */
    build: { type: 'boolean', default: false },
    /** Features from the status of our XMesh, not from flags. */
    'from-mesh': { type: 'boolean', default: false },
    /** File for the numbers, in the form of vitest's JSON report. */
    results: { type: 'string' },
    /** Keeps the report in docs/conformance, if all tests ran. */
    save: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function isInstalled(): Promise<boolean> {
  const found = ['get', `deployment/${controlPlaneName}`, '-n', systemNamespace, '--ignore-not-found'];
  return (
    (await kubectl(...found, '-o', 'jsonpath={.metadata.uid}{.metadata.deletionTimestamp}')).length === 36
  );
}

/** The suite takes the features from the status of our XMesh if it is told of none. */
const fromMesh = ['--all-features=false', '--exempt-features=', `--mesh-name=${meshName}`];

/** With flags of one's own, fewer tests may be what is asked for. */
function verdict({ passed, failed, skipped }: SuiteResult): string | null {
  if (failed > 0) return `${failed} tests failed`;
  if (positionals.length === 0 && (passed !== MESH_TESTS || skipped > 0))
    return `${passed} tests ran and ${skipped} were skipped, where ${MESH_TESTS} are to run`;
  return passed > 0 ? null : 'no test ran';
}

function keepReport(out: string): void {
  const directory = join(repository, 'docs/conformance');
  mkdirSync(directory, { recursive: true });
  copyFileSync(join(out, 'report.yaml'), join(directory, `experimental-${version}-default-report.yaml`));
}

const ofKit = await useCluster();
const wasInstalled = await isInstalled();
if (!wasInstalled) {
  say('Tulle is not installed: installing it');
  await install(ofKit);
}
const out = mkdtempSync(join(tmpdir(), 'tulle-conformance-'));
try {
  const flags = [`--version=${version}`, ...(values['from-mesh'] ? fromMesh : []), ...positionals];
  const result = await runSuite(ofKit && !values.build, out, flags);
  if (values.results !== undefined) {
    const { passed, failed } = result;
    writeFileSync(values.results, JSON.stringify({ numPassedTests: passed, numFailedTests: failed }));
  }
  const problem = verdict(result);
  if (problem !== null) {
    say(problem);
    process.exitCode = 1;
  } else if (values.save && positionals.length === 0) keepReport(out);
} finally {
  rmSync(out, { recursive: true, force: true });
  if (!wasInstalled && process.env.TULLE_KEEP !== '1') await uninstall();
}
