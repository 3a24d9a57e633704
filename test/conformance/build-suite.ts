/** The suite from its published Go module; Go 1.26 or newer and its module cache are all that it takes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { must } from '../cluster/harness/run.ts';

/** Release of Gateway API; the CRDs on the cluster must be of the same. */
const RELEASE = 'v1.6.1';

export interface BuiltSuite {
  readonly program: string;
  /** Folder with Gateway API's CRDs of the experimental channel. */
  readonly crds: string;
  /** The image that the suite's pods run. */
  readonly image: string;
}

const files = {
  'go.mod': `module conformance

go 1.26.0

require (
	sigs.k8s.io/gateway-api ${RELEASE}
	sigs.k8s.io/gateway-api/conformance ${RELEASE}
)
`,
  'conformance_test.go': `package conformance

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

func TestConformance(t *testing.T) { conformance.RunConformance(t) }
`,
};

/** Builds the suite in the user's cache; a second time takes Go a few seconds. Rejects with what Go says. */
export async function buildSuite(): Promise<BuiltSuite> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const directory = join(cache, 'tulle', `gateway-conformance-${RELEASE}`);
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  const env = { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off', CGO_ENABLED: '0' };
  const go = (...args: string[]): Promise<string> => must('go', ['-C', directory, ...args], { env });
  process.stderr.write(`building the conformance suite ${RELEASE} in ${directory}\n`);
  await go('test', '-c', '-o', 'conformance.test', '.');
  const folder = async (module: string): Promise<string> =>
    (await go('list', '-m', '-f', '{{.Dir}}', module)).trim();
  const suite = await folder('sigs.k8s.io/gateway-api/conformance');
  const manifests = readFileSync(join(suite, 'mesh/manifests.yaml'), 'utf8');
  const image = /^ +image: (\S+)$/m.exec(manifests)?.[1];
  if (image === undefined) throw new Error(`no image is in mesh/manifests.yaml of ${suite}`);
  const crds = join(await folder('sigs.k8s.io/gateway-api'), 'config/crd/experimental');
  return { program: join(directory, 'conformance.test'), crds, image };
}
