/**
 * Envoy and gRPC's own clients, which go by the same rules from the same control plane: what of the cases they can be asked,
 * and what they answer in another way than a sidecar whatever the rules.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import { type FailureCode, failures } from '../../api/failure.ts';
import type { Dialect } from '../../control-plane/translate/client.ts';
import { type Open, type RawOutcome, type RawRequest, send } from '../apps/requests.ts';
import type { ClientProcess } from '../third-party/client-process.ts';
import { type Envoy, startEnvoy } from '../third-party/envoy-process.ts';
import {
  bootstrapOf,
  type ClientName,
  clientNames,
  linesOf,
  missing,
  startClient,
} from '../third-party/grpc-clients.ts';
import { findPython } from '../third-party/python.ts';
import type { View } from './judge.ts';
import { CONSUMER, NS, type RouteCase, type Step } from './route-case.ts';

export interface Peer {
  readonly name: string;
  readonly dialect: Exclude<Dialect, 'sidecar'>;
  /** As what cannot be told to it begins. */
  readonly says: string;
  readonly view: View;
  /** Whether it can be asked: each knows the mesh by names, and not by addresses. */
  can(of: RouteCase, step: Step): boolean;
  send(request: RawRequest, namespace: string): Promise<RawOutcome>;
  stop(): Promise<void>;
}

/** What is not here is said, once. */
export async function startPeers(controlPort: number): Promise<Peer[]> {
  const peers: Peer[] = [];
  const python = await findPython();
  if (python.kind === 'missing') console.warn(`skipped: Envoy cannot be installed: ${python.reason}`);
  else peers.push(await envoyPeer(python.envoy, controlPort));
  for (const name of clientNames) {
    const reason = missing(name);
    if (reason === null) peers.push(grpcPeer(name, controlPort));
    else console.warn(`skipped: ${name}: ${reason}`);
  }
  return peers;
}

const protocols: readonly string[] = ['http1', 'http2', 'grpc'] satisfies RawRequest['protocol'][];

/** The Service that is called; null for a pod. */
const calledIn = ({ name }: RouteCase, { to = name }: Step): string | null =>
  typeof to === 'string' ? to : null;

async function envoyPeer(binary: string, controlPort: number): Promise<Peer> {
  const envoys: Readonly<Record<string, Envoy>> = {
    [NS]: await startEnvoy(binary, controlPort, 'DELTA_GRPC', NS),
    [CONSUMER]: await startEnvoy(binary, controlPort, 'GRPC', CONSUMER),
  };
  const open =
    (namespace: string): Open =>
    async () => {
      const socket = connect(envoys[namespace].port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
  return {
    name: 'Envoy',
    dialect: 'envoy',
    says: 'Envoy',
    // A call that takes too long is answered with 504, of which Envoy makes UNAVAILABLE.
    view: { isSidecar: false, grpcStatusOf: code => (isTimeout(code) ? 14 : failures[code].grpc) },
    can(of, step) {
      const called = calledIn(of, step);
      if (called === null || !protocols.includes(step.protocol ?? 'http1')) return false;
      // It goes by the authority, which therefore has to be true.
      return step.host === undefined || step.host.split(':')[0] === called;
    },
    async send(request, namespace) {
      const { host, port, authority } = request;
      const named = authority === host && port !== 80 ? `${host}:${port}` : authority;
      const [outcome] = await send([{ ...request, authority: named }], open(namespace));
      return outcome;
    },
    async stop() {
      await Promise.all(Object.values(envoys).map(({ process }) => process.terminate()));
    },
  };
}

const isTimeout = (code: FailureCode): boolean => failures[code].status === 504;

/** Enough for a share, and little enough for one call after the other. */
const MOST_CALLS = 300;

interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly body: string;
}

function grpcPeer(name: ClientName, controlPort: number): Peer {
  const start = (namespace: string): ClientProcess =>
    startClient(name, 'ask', [], bootstrapOf(controlPort, { 'tulle.dev/namespace': namespace }));
  const clients: Readonly<Record<string, ClientProcess>> = { [NS]: start(NS), [CONSUMER]: start(CONSUMER) };
  return {
    name,
    dialect: 'grpc',
    says: 'gRPC clients',
    // A call that no route matches is UNAVAILABLE (gRFC A28).
    view: { isSidecar: false, grpcStatusOf: code => (code === 'NO_ROUTE' ? 14 : failures[code].grpc) },
    can: (of, step) => step.protocol === 'grpc' && calledIn(of, step) !== null && step.host === undefined,
    async send({ host, port, path, fields, count }, namespace) {
      const client = clients[namespace];
      const asked = { target: `xds:///${host}:${port}`, path, fields, count: Math.min(count, MOST_CALLS) };
      client.send(JSON.stringify(asked));
      const [line] = await linesOf(client, 1);
      return outcomeOf(JSON.parse(line) as Outcome[]);
    },
    async stop() {
      await Promise.all(Object.values(clients).map(client => client.stop()));
    },
  };
}

/** As the same calls look on the wire. */
function outcomeOf(outcomes: readonly Outcome[]): RawOutcome {
  const tally: Record<string, number> = {};
  for (const { body } of outcomes) {
    const version = /"version":"([^"]*)"/.exec(body)?.[1] ?? '';
    const name = `200 ${version}`.trimEnd();
    tally[name] = (tally[name] ?? 0) + 1;
  }
  const [first] = outcomes;
  const answer = { status: 200, fields: ['grpc-status', String(first.code)], body: first.body };
  return { answer, tally };
}
