/** What sidecars and applications count, read inside the pod. */
import { ports } from '../../../api/ports.ts';
import { exec } from '../harness/kubectl.ts';

/** Where a pod's own metrics are: those of its sidecar, or those of the test application alone. */
const metricsUrls = {
  sidecar: `http://127.0.0.1:${ports.admin}/metrics`,
  app: 'http://127.0.0.1:8080/metrics',
};

/** Sum of all series of a metric. */
export async function metric(
  namespace: string,
  pod: string,
  name: string,
  of: keyof typeof metricsUrls = 'sidecar',
): Promise<number> {
  const url = metricsUrls[of];
  const exposition = await exec(namespace, pod, 'app', '/usr/bin/curl', '-sf', url);
  return exposition
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
