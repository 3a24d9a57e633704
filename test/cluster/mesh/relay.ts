/** Requests out of a pod, as fast as if they were sent from here: through a port-forward to the application's relay. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { RELAY_PORT } from '../../apps/relay.ts';
import type { RawOutcome, RawRequest } from '../../apps/requests.ts';

export interface Relay {
  send(requests: readonly RawRequest[]): Promise<RawOutcome[]>;
  close(): void;
}

/** `pod`: name of a pod whose container runs the role `relay`. */
export async function relayIn(namespace: string, pod: string): Promise<Relay> {
  const { url, close } = await forwardTo(namespace, pod);
  return {
    async send(requests) {
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(requests) });
      return (await answer.json()) as RawOutcome[];
    },
    close,
  };
}

/** A way to what listens on the relay's port of a pod, past its sidecar. */
export async function forwardTo(
  namespace: string,
  pod: string,
): Promise<{ readonly url: string; close(): void }> {
  const child = spawn('kubectl', ['port-forward', '-n', namespace, `pod/${pod}`, `:${RELAY_PORT}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close').then(() => {
    throw new Error(`kubectl port-forward to ${namespace}/${pod} ended`);
  });
  ended.catch(() => undefined);
  const lines = createInterface(child.stdout);
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
  if (port === undefined) throw new Error(`kubectl port-forward says ${line}`);
  return { url: `http://127.0.0.1:${port}/`, close: () => void child.kill() };
}
