/**
 * A mesh of real processes for tests of rules: a control plane on a folder of manifests, a sidecar in front of each
 * application and one of the client, and Envoy as another client of the same rules where it can be had. The applications
 * are in the process of the test: it sees each request and says how it is answered.
 */
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import { ports } from '../../../api/ports.ts';
import { applicationPort, freeNetwork, type Pod, World } from '../../../cli/demo/world.ts';
import { type Envoy, freePort, startEnvoy } from '../../third-party/envoy-process.ts';
import { findPython } from '../../third-party/python.ts';
import { type Answer, type Call, call } from '../proxy/apps.ts';

/** A request as an application got it. */
export interface Seen {
  readonly deployment: string;
  readonly pod: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Milliseconds of a clock that never goes back. */
  readonly at: number;
}

/** Answers in place of the applications. */
export type Handler = (seen: Seen, response: ServerResponse) => void;

/** Who calls by the same rules. */
export interface Caller {
  readonly name: 'sidecar' | 'Envoy';
  /** Calls Service `echo`, on a connection of its own. */
  call(options?: Call): Promise<Answer>;
}

export interface RulesWorld {
  /** The sidecar first, then Envoy unless it is missing. */
  readonly callers: readonly Caller[];
  /** Requests since the last {@link apply}. */
  readonly seen: Seen[];
  /** By default an application answers 200 with the name of its pod. */
  handler: Handler;
  /** Puts manifests in force, in place of those before, and waits until every caller goes by them. */
  apply(...manifests: string[]): Promise<void>;
  /** What the control plane says is wrong, sentence by sentence. */
  problems(): Promise<string[]>;
  pods(deployment: string): Pod[];
  stop(): Promise<void>;
}

const GENEROUS_MS = 25_000;

/** An HTTPRoute on Service `echo` with these rules, as YAML. */
export function echoRoute(rules: string, metadata = 'name: rules'): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { ${metadata}, namespace: default }
spec:
  parentRefs: [{ group: "", kind: Service, name: echo }]
  rules: ${rules}`;
}

export const answerWithPod: Handler = (seen, response) => void response.end(seen.pod);

export async function startRulesWorld(): Promise<RulesWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-rules-'));
  const manifests = join(directory, 'manifests');
  cpSync(join(import.meta.dirname, 'manifests'), manifests, { recursive: true });
  const controlPort = await freePort();
  const network = await freeNetwork();
  const world = new World({
    manifests,
    directory,
    programs: { tulle: [resolve(import.meta.dirname, '../../../cli/tulle.ts')], application: null },
    network,
    controlPlaneSettings: { TULLE_PLAINTEXT_PORT: String(controlPort) },
  });
  await world.start();
  const running = new Rules(world, directory, `http://127.${network}.0.1:${ports.controlPlaneAdmin}`);
  for (const pod of world.pods) if (pod.deployment.port > 0) await running.serve(pod);
  const [client] = world.podsOf('client');
  running.callers.push({
    name: 'sidecar',
    call: options => call(ports.outbound, { host: 'echo', address: client.address, ...options }),
  });
  const python = await findPython();
  if (python.kind === 'missing') console.warn(`without Envoy, which cannot be installed: ${python.reason}`);
  else {
    const envoy = await startEnvoy(python.envoy, controlPort, 'DELTA_GRPC');
    running.envoy = envoy;
    running.callers.push({ name: 'Envoy', call: options => call(envoy.port, { host: 'echo', ...options }) });
  }
  return running;
}

class Rules implements RulesWorld {
  readonly callers: Caller[] = [];
  readonly seen: Seen[] = [];
  handler: Handler = answerWithPod;
  envoy: Envoy | null = null;
  readonly #world: World;
  readonly #directory: string;
  readonly #admin: string;
  readonly #servers: ReturnType<typeof createServer>[] = [];
  #applied = 0;

  constructor(world: World, directory: string, admin: string) {
    this.#world = world;
    this.#directory = directory;
    this.#admin = admin;
  }

  /** The application of a pod, where only its sidecar calls it. */
  async serve({ name, address, deployment }: Pod): Promise<void> {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', chunk => (body += chunk));
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request;
        const seen = {
          deployment: deployment.name,
          pod: name,
          method,
          path,
          headers,
          body,
          at: performance.now(),
        };
        this.seen.push(seen);
        this.handler(seen, response);
      });
    });
    this.#servers.push(server);
    await new Promise<void>(listening =>
      server.listen(applicationPort(deployment), address, () => listening()),
    );
  }

  async apply(...manifests: string[]): Promise<void> {
    const mark = `/applied-${++this.#applied}`;
    const marked = echoRoute(
      `[{ matches: [{ path: { type: Exact, value: ${mark} } }], filters: [{ type: RequestRedirect, requestRedirect: { statusCode: 308 } }] }]`,
      'name: applied',
    );
    const file = join(this.#directory, 'rules.new');
    writeFileSync(file, [...manifests, marked].join('\n---\n'));
    renameSync(file, join(this.#directory, 'manifests', 'rules.yaml'));
    for (const { name, call } of this.callers) {
      const status = async () => (await call({ path: mark }).catch(() => null))?.status;
      await expect
        .poll(status, { timeout: GENEROUS_MS, message: `${name} goes by the rules` })
        .toBe(308)
        .catch(async (cause: unknown) => {
          throw new Error(`problems: ${(await this.problems()).join('\n')}`, { cause });
        });
    }
    this.handler = answerWithPod;
    this.seen.length = 0;
  }

  async problems(): Promise<string[]> {
    const response = await fetch(`${this.#admin}/problems`);
    return ((await response.json()) as { problems: string[] }[]).flatMap(({ problems }) => problems);
  }

  pods(deployment: string): Pod[] {
    return this.#world.podsOf(deployment);
  }

  async stop(): Promise<void> {
    await this.envoy?.process.terminate();
    await this.#world.stop();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
