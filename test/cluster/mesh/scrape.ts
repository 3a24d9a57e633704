/** What a sidecar counts, read from its /metrics inside the pod. */
import { ports } from '../../../api/ports.ts';
import { exec } from '../harness/kubectl.ts';

/** Sum of a metric's series whose labels contain all of `labels`, as `name="value"`. */
export async function metric(
  namespace: string,
  pod: string,
  name: string,
  labels: readonly string[] = [],
): Promise<number> {
  const url = `http://127.0.0.1:${ports.admin}/metrics`;
  const exposition = await exec(namespace, pod, 'app', '/usr/bin/curl', '-sf', url);
  return exposition
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter(line => labels.every(label => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
