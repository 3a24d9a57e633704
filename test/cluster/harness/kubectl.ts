/** kubectl against the cluster under test. */
import { must, type RunResult, run } from './run.ts';

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name?: string;
    generateName?: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [member: string]: unknown;
  };
  [member: string]: unknown;
}

/** Its output. Throws with what kubectl says if it fails. */
export function kubectl(...args: string[]): Promise<string> {
  return must('kubectl', args);
}

/** Without a judgement: for commands that are to fail. */
export function tryKubectl(args: readonly string[], input?: string): Promise<RunResult> {
  return run('kubectl', args, input === undefined ? {} : { input });
}

const list = (objects: readonly KubernetesObject[]): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });

export async function apply(...objects: KubernetesObject[]): Promise<void> {
  await must('kubectl', ['apply', '-f', '-'], { input: list(objects) });
}

export async function get<T = KubernetesObject>(kind: string, name: string, namespace?: string): Promise<T> {
  const args = ['get', kind, name, '-o', 'json', ...(namespace === undefined ? [] : ['-n', namespace])];
  return JSON.parse(await must('kubectl', args)) as T;
}

export interface Created {
  /** As the API server would store it; null if it is refused. */
  object: KubernetesObject | null;
  warnings: string[];
  /** What the API server says to a refusal, else ''. */
  error: string;
}

/** Creates an object. With `dryRun` everything happens, webhooks included, but nothing is stored. */
export async function create(object: KubernetesObject, dryRun = false): Promise<Created> {
  const args = ['create', '-f', '-', '-o', 'json', ...(dryRun ? ['--dry-run=server'] : [])];
  const { code, stdout, stderr } = await tryKubectl(args, JSON.stringify(object));
  const lines = stderr.split('\n').filter(line => line !== '');
  return {
    object: code === 0 ? (JSON.parse(stdout) as KubernetesObject) : null,
    warnings: lines.filter(line => line.startsWith('Warning: ')).map(line => line.slice('Warning: '.length)),
    error: code === 0 ? '' : lines.filter(line => !line.startsWith('Warning: ')).join('\n'),
  };
}

/** Waits for a condition of a resource, `kubectl wait --for=...`. */
export async function waitFor(
  what: string,
  condition: string,
  namespace: string,
  seconds = 60,
): Promise<void> {
  await kubectl('wait', '-n', namespace, what, `--for=${condition}`, `--timeout=${seconds}s`);
}

export async function rolledOut(deployment: string, namespace: string, seconds = 60): Promise<void> {
  await kubectl('rollout', 'status', '-n', namespace, `deployment/${deployment}`, `--timeout=${seconds}s`);
}

const POLL_MS = 200;

/**
 * Asks again until the answer is not null; for what has no condition to wait for. Throws with `what` and the last error
 * at the deadline.
 */
export async function eventually<T>(what: string, ask: () => Promise<T | null>, seconds = 30): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  let last: unknown = 'no answer';
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      last = error;
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${what}: not within ${seconds} s (${String(last)})`);
}

/** Runs a command in a container; its output. */
export function exec(
  namespace: string,
  pod: string,
  container: string,
  ...command: string[]
): Promise<string> {
  return kubectl('exec', '-n', namespace, pod, '-c', container, '--', ...command);
}
