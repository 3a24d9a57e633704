/** Calls that are made inside pods, by the test application's client. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Call } from '../../apps/call.ts';
import type { Outcome } from '../../apps/outcome.ts';

export interface Calls {
  /** When the first answer is there; rejects if the client fails before. */
  first: Promise<void>;
  outcome: Promise<Outcome>;
}

/** Begins calls in the container `app` of a pod. */
export function startCalls(namespace: string, pod: string, command: Call): Calls {
  const program = ['/usr/local/bin/node', '/app/main.mjs', 'call', JSON.stringify(command)];
  const child = spawn('kubectl', ['exec', '-n', namespace, pod, '-c', 'app', '--', ...program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  const { promise: first, resolve, reject } = Promise.withResolvers<void>();
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    errors += part;
    if (errors.includes('first answer')) resolve();
  });
  const ended = new Promise<number>(end => child.once('close', code => end(code ?? -1)));
  const outcome = Promise.all([text(child.stdout), ended]).then(([output, code]) => {
    const failure = new Error(`calls from ${namespace}/${pod} failed (${code}): ${output}${errors}`);
    reject(failure);
    if (code !== 0) throw failure;
    return JSON.parse(output) as Outcome;
  });
  first.catch(() => undefined);
  return { first, outcome };
}

export function call(namespace: string, pod: string, command: Call): Promise<Outcome> {
  return startCalls(namespace, pod, command).outcome;
}

/** `count` GET requests, one after the other unless `concurrency` says otherwise. */
export function get(
  namespace: string,
  pod: string,
  url: string,
  options: { count?: number; concurrency?: number; headers?: Record<string, string> } = {},
): Promise<Outcome> {
  return call(namespace, pod, { kind: 'http', url, ...options });
}
