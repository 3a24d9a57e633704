/** Jobs, and applications that cannot wait. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testImage } from '../apps/image.ts';
import { apply, kubectl, rolledOut, waitFor } from './harness/kubectl.ts';
import { deleteNamespaces, enabled, freshNamespaces, namespace } from './harness/scenario.ts';
import { deployment, service } from './mesh/workloads.ts';

const NS = 'tulle-test-first-call';
const RUNS = 5;

beforeAll(async () => {
  await freshNamespaces(namespace(NS, enabled));
  await apply(...deployment(NS, 'server', 1), service(NS, 'server', { app: 'server' }));
  await rolledOut('server', NS, 120);
});
afterAll(() => deleteNamespaces(NS));

test('a Job whose application calls at once, and never again, succeeds and completes', async () => {
  const container = { name: 'app', image: testImage, args: ['first', `http://server.${NS}/`] };
  await apply({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'first', namespace: NS },
    spec: {
      completions: RUNS,
      parallelism: 2,
      backoffLimit: 0,
      template: { spec: { restartPolicy: 'Never', containers: [container] } },
    },
  });
  await waitFor('job/first', 'condition=Complete', NS, 100);
  const selector = ['-n', NS, '-l', 'job-name=first'];
  const logs = await kubectl('logs', ...selector, '-c', 'app', '--tail=-1');
  const callers = [...logs.matchAll(/^200 .*"caller":"([^"]*)"/gm)].map(([, caller]) => caller);
  expect(callers).toEqual(Array(RUNS).fill(`spiffe://cluster.local/ns/${NS}/sa/default`));
  const phases = await kubectl('get', 'pod', ...selector, '-o', 'jsonpath={.items[*].status.phase}');
  expect(phases.split(' ')).toEqual(Array(RUNS).fill('Succeeded'));
});
