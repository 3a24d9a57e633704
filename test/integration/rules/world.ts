/**
 * A mesh of real processes for tests of rules: a control plane on a folder of manifests, a sidecar in front of each
 * application and one of the client, and Envoy as another client of the same rules where it can be had. The applications
 * are in the process of the test: it sees each request and says how it is answered.
 */
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http';
import { createSecureServer, type SecureServerOptions } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect } from 'vitest';
import { ports } from '../../../api/ports.ts';
import { applicationPort, freeNetwork, type Pod, World } from '../../../cli/demo/world.ts';
import { type Envoy, freePort, startEnvoy } from '../../third-party/envoy-process.ts';
import { expectNothingRefused } from '../../third-party/nothing-refused.ts';
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
  /** What the client said of the name and chose of the protocols in TLS; null in plaintext. */
  readonly tls: { readonly serverName: string; readonly alpn: string } | null;
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
  /**
   * Applications of deployment `two` serve TLS from now on, HTTP/1.1 and HTTP/2; null: plaintext again. Open connections
   * end, unless it is for new ones only.
   */
  secure(options: SecureServerOptions | null, which?: 'new connections'): void;
  /** Puts manifests in force, in place of those before, and waits until every caller goes by them. */
  apply(...manifests: string[]): Promise<void>;
  /** What the control plane says is wrong, sentence by sentence. */
  problems(): Promise<string[]>;
  /** What it says that Envoy cannot be told; nothing where there is no Envoy. */
  notExpressed(): Promise<string[]>;
  pods(deployment: string): Pod[];
  /** What a scrape of the pod's sidecar gives. */
  metrics(pod: Pod): Promise<string>;
  stop(): Promise<void>;
}

export const GENEROUS_MS = 25_000;

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
  const running = new Rules(world, directory);
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

const isOmission = (sentence: string): boolean => sentence.startsWith('Envoy cannot be told ');

class Rules implements RulesWorld {
  readonly callers: Caller[] = [];
  readonly seen: Seen[] = [];
  handler: Handler = answerWithPod;
  envoy: Envoy | null = null;
  readonly #world: World;
  readonly #directory: string;
  readonly #servers: { close(): void }[] = [];
  readonly #sockets = new Set<Socket>();
  #tls: SecureServerOptions | null = null;
  #applied = 0;

  constructor(world: World, directory: string) {
    this.#world = world;
    this.#directory = directory;
  }

  /** The application of a pod, where only its sidecar calls it. */
  async serve({ name, address, deployment }: Pod): Promise<void> {
    const listener: RequestListener = (request, response) => {
      let body = '';
      request.on('data', chunk => (body += chunk));
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request;
        const { servername, alpnProtocol } = request.socket as Partial<TLSSocket>;
        const seen: Seen = {
          deployment: deployment.name,
          pod: name,
          method,
          path,
          headers,
          body,
          at: performance.now(),
          tls:
            alpnProtocol === undefined
              ? null
              : { serverName: String(servername), alpn: String(alpnProtocol) },
        };
        this.seen.push(seen);
        this.handler(seen, response);
      });
    };
    const plain = createServer(listener);
    let secure = createSecureServer();
    let used: SecureServerOptions | null = null;
    const server = createTcpServer(socket => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      const tls = deployment.name === 'two' ? this.#tls : null;
      if (tls === null) return void plain.emit('connection', socket);
      if (tls !== used) secure = createSecureServer({ allowHTTP1: true, ...tls }, listener as never);
      used = tls;
      secure.emit('connection', socket);
    });
    this.#servers.push(server);
    await new Promise<void>(listening =>
      server.listen(applicationPort(deployment), address, () => listening()),
    );
  }

  secure(options: SecureServerOptions | null, which?: 'new connections'): void {
    this.#tls = options;
    if (which === undefined) for (const socket of this.#sockets) socket.destroy();
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
    return (await this.#sentences()).filter(sentence => !isOmission(sentence));
  }

  async notExpressed(): Promise<string[]> {
    return (await this.#sentences()).filter(isOmission);
  }

  async #sentences(): Promise<string[]> {
    const response = await fetch(`${this.#world.controlPlaneAdmin}/problems`);
    return ((await response.json()) as { problems: string[] }[]).flatMap(({ problems }) => problems);
  }

  pods(deployment: string): Pod[] {
    return this.#world.podsOf(deployment);
  }

  metrics(pod: Pod): Promise<string> {
    return this.#world.metrics(pod);
  }

  async stop(): Promise<void> {
    try {
      await expectNothingRefused(this.#world.controlPlaneAdmin);
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    await this.envoy?.process.terminate();
    await this.#world.stop();
    for (const server of this.#servers) {
      server.close();
    }
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
