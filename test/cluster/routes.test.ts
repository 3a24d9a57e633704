/**
 * The cases of test/routes on a cluster: what status says, and what every request meets from the moment that it says so.
 * The same cases run in a folder, without a cluster, in test/routes/directory.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayRouteKinds } from '../../control-plane/model/model.ts';
import { controllerName, type ParentStatus } from '../../control-plane/status/route-status.ts';
import { ApiClient } from '../../runtime/kubernetes/api-client.ts';
import { findCredentials } from '../../runtime/kubernetes/credentials.ts';
import { testImage } from '../apps/image.ts';
import type { RawOutcome } from '../apps/requests.ts';
import { cases } from '../routes/cases.ts';
import { judge, requestOf, statusesOf, written } from '../routes/judge.ts';
import { CLIENT, namespaces, objectsOf, service, workloads } from '../routes/manifests.ts';
import { backend, CONSUMER, httpRoute, NS, type Step, type Version } from '../routes/route-case.ts';
import { apply, eventually, type KubernetesObject, kubectl, rolledOut } from './harness/kubectl.ts';
import { deleteNamespaces, freshNamespaces } from './harness/scenario.ts';
import { ensure, gatewayApi } from './mesh/custom-resources.ts';
import { type Relay, relayIn } from './mesh/relay.ts';

/** Sidecars that must all have a change when status says it. */
const CLIENTS = 4;
const CHANGES = 20;

const addresses = new Map<string, string>();
const relays = new Map<string, Relay[]>();
const outcomes = new Map<Step, RawOutcome>();
/** Conditions by route, for each parent. */
const statuses = new Map<string, string[][]>();

interface RouteObject extends KubernetesObject {
  status?: { parents?: ParentStatus[] };
}

async function readStatuses(): Promise<void> {
  for (const kind of gatewayRouteKinds) {
    const list = await kubectl('get', kind.toLowerCase(), '-A', '-o', 'json');
    for (const { metadata, status } of (JSON.parse(list) as { items: RouteObject[] }).items) {
      const own = (status?.parents ?? []).filter(parent => parent.controllerName === controllerName);
      const conditions = own.map(parent => written(parent.conditions ?? []));
      statuses.set(`${kind}/${metadata.namespace}/${metadata.name}`, conditions);
    }
  }
}

const wanted = new Map(cases.flatMap(of => [...statusesOf(of)]));

/** Every route has as many entries as it must; whether they are right is judged once, and not until they are. */
async function statusesThere(): Promise<true | null> {
  await readStatuses();
  const there = [...wanted].every(([id, parents]) => statuses.get(id)?.length === parents.length);
  return there ? true : null;
}

const podNames = async (namespace: string, app: string): Promise<string[]> =>
  (
    await kubectl(
      'get',
      'pod',
      '-n',
      namespace,
      '-l',
      `app=${app}`,
      '-o',
      'jsonpath={.items[*].metadata.name}',
    )
  ).split(' ');

async function podAddress(version: Version): Promise<string> {
  return kubectl('get', 'pod', '-n', NS, '-l', `app=${version}`, '-o', 'jsonpath={.items[0].status.podIP}');
}

const skipped = await ensure(gatewayApi);
if (skipped !== null) process.stderr.write(`routes.test.ts is skipped: ${skipped}\n`);

describe.skipIf(skipped !== null)('on a cluster', () => {
  beforeAll(async () => {
    await freshNamespaces(...namespaces);
    await apply(...workloads(testImage), ...objectsOf(cases));
    for (const version of ['v1', 'v2'] as const) await rolledOut(version, NS, 120);
    await kubectl('rollout', 'status', '-n', NS, 'statefulset/stateful', '--timeout=120s');
    await kubectl('scale', '-n', NS, `deployment/${CLIENT}`, `--replicas=${CLIENTS}`);
    for (const namespace of [NS, CONSUMER]) {
      await rolledOut(CLIENT, namespace, 120);
      const pods = await podNames(namespace, CLIENT);
      relays.set(namespace, await Promise.all(pods.map(pod => relayIn(namespace, pod))));
    }
    for (const version of ['v1', 'v2'] as const) addresses.set(version, await podAddress(version));
    const late = cases.flatMap(({ late }) => late?.(addressOf) ?? []);
    await apply(...late);
    await eventually('status of every route', statusesThere, 60);
    await sendAll();
  }, 300_000);

  afterAll(async () => {
    for (const relay of [...relays.values()].flat()) relay.close();
    await deleteNamespaces(NS, CONSUMER);
  });

  const addressOf = (version: Version): string => addresses.get(version) as string;

  /** Each once; what comes first counts. */
  async function sendAll(): Promise<void> {
    for (const namespace of [NS, CONSUMER]) {
      const steps = cases.flatMap(of =>
        of.requests.flatMap(step =>
          (step.from === 'consumer') === (namespace === CONSUMER) ? [{ of, step }] : [],
        ),
      );
      const [relay] = relays.get(namespace) ?? [];
      const got = await relay.send(steps.map(({ of, step }) => requestOf(of, step, addressOf)));
      steps.forEach(({ step }, index) => outcomes.set(step, got[index]));
    }
  }

  test.each(cases)('$name', of => {
    for (const [id, parents] of statusesOf(of)) expect(statuses.get(id), id).toEqual(parents);
    for (const step of of.requests) {
      const { method, path, host, fields } = requestOf(of, step, addressOf);
      const wrong = judge(step, outcomes.get(step) as RawOutcome);
      expect(wrong, `${method} ${host}${path} ${JSON.stringify(fields)}`).toEqual([]);
    }
  });

  test('a change is in force in every sidecar when its status says so', async () => {
    const api = new ApiClient(await findCredentials(process.env));
    const routes = `/apis/gateway.networking.k8s.io/v1/namespaces/${NS}/httproutes`;
    const rules = (change: number): object[] => [
      {
        filters: [
          {
            type: 'ResponseHeaderModifier',
            responseHeaderModifier: { set: [{ name: 'x-change', value: String(change) }] },
          },
        ],
        // Another Service each time, whose endpoints the sidecars do not have yet.
        backendRefs: [backend(change % 2 === 0 ? 'v1' : 'v2')],
      },
    ];
    await api.create(`/api/v1/namespaces/${NS}/services`, service('accepted', [http]));
    await api.create(routes, httpRoute('accepted', rules(0)));
    const clients = relays.get(NS) ?? [];
    expect(clients).toHaveLength(CLIENTS);
    const ending = new AbortController();
    try {
      let change = 0;
      let generation = 1;
      const events = api.watch(`${routes}?watch=1&fieldSelector=metadata.name%3Daccepted`, ending.signal);
      for await (const { object } of events) {
        if (!acceptedAt(object as RouteObject, generation)) continue;
        const step: Step = {
          expect: { version: change % 2 === 0 ? 'v1' : 'v2', answer: { 'x-change': String(change) } },
        };
        const request = requestOf({ name: 'accepted', requests: [] }, step, addressOf);
        const got = await Promise.all(clients.map(client => client.send([request])));
        expect(
          got.flatMap(([outcome]) => judge(step, outcome)),
          `change ${change}`,
        ).toEqual([]);
        change++;
        generation++;
        if (change === CHANGES) break;
        await api.patch(`${routes}/accepted`, 'application/merge-patch+json', {
          spec: { rules: rules(change) },
        });
      }
    } finally {
      ending.abort();
      await api.close();
    }
  });
});

const http = { name: 'http', port: 80, targetPort: 8080 };

function acceptedAt({ status }: RouteObject, generation: number): boolean {
  return (status?.parents ?? []).some(
    ({ controllerName: of, conditions = [] }) =>
      of === controllerName &&
      conditions.some(
        ({ type, status, observedGeneration }) =>
          type === 'Accepted' && status === 'True' && observedGeneration === generation,
      ),
  );
}
