/** Pods with sidecars, applications and a caller; Services that a test makes; and what was answered, logged and counted. */
import { execFileSync } from 'node:child_process';
import { createAuthorityFiles } from '../../../control-plane/identity/authority.ts';
import type { EndpointConfig } from '../../../proxy/cluster/cluster-config.ts';
import { CLIENT_ID, endpoint, SERVER_ID } from '../../integration/proxy/configuration.ts';
import type { ApplicationRequest, Counts } from './application.ts';
import type { CallKind, CallRequest, Reply } from './caller.ts';
import { Network, type Pod, serviceAddress } from './network.ts';
import { type PortName, ports } from './ports.ts';
import { APP_UID, PodProcess, PROXY_UID } from './process.ts';
import type { AccessLine, ServiceConfig, SidecarLogs, SidecarOptions, SidecarRequest } from './sidecar.ts';

type Sidecar = PodProcess<SidecarRequest | { readonly do: 'start'; readonly options: SidecarOptions }>;
type Application = PodProcess<ApplicationRequest>;

/** `one` and `two` are meshed endpoints of one identity; `outside` has no sidecar. */
export type ServerName = 'one' | 'two' | 'outside';
type SidecarName = 'client' | 'one' | 'two';

const tulle = new URL('../../../cli/tulle.ts', import.meta.url).pathname;

/** A Service that exists for one test, so that nothing of another is left over in it. */
export interface TestService {
  readonly config: ServiceConfig;
  readonly kind: CallKind;
}

/** One call and its traces. */
export interface Outcome {
  readonly reply: Reply;
  /** Line of the caller's sidecar. */
  readonly line: AccessLine;
  /** Attempts that reached an application, by port. */
  readonly counts: Counts;
}

export class World {
  readonly network = new Network();
  readonly pods: Readonly<Record<'client' | ServerName, Pod>>;
  readonly #authority = createAuthorityFiles(Date.now());
  readonly #sidecars = new Map<string, Sidecar>();
  readonly #applications = new Map<string, Application>();
  #caller: PodProcess<CallRequest> | null = null;
  #services = 0;

  constructor() {
    this.pods = {
      client: this.network.pod('client', 1),
      one: this.network.pod('one', 2),
      two: this.network.pod('two', 3),
      outside: this.network.pod('outside', 4),
    };
  }

  async start(): Promise<void> {
    const { client, one, two, outside } = this.pods;
    const caller = PodProcess.start<CallRequest>(client, APP_UID, 'caller.ts');
    await Promise.all([
      caller,
      this.startSidecar(client),
      this.startServer(one),
      this.startServer(two),
      this.#startApplication(outside, '0.0.0.0'),
    ]);
    this.#caller = await caller;
  }

  /** Redirection, sidecar and application of a pod. */
  async startServer(pod: Pod): Promise<void> {
    await Promise.all([this.startSidecar(pod), this.#startApplication(pod, '127.0.0.1')]);
  }

  /** `limits` as in TULLE_LIMITS. Replaces the sidecar that is there, which knows its Services no more. */
  async startSidecar(pod: Pod, limits = ''): Promise<void> {
    const running = this.#sidecars.get(pod.name);
    if (running === undefined) {
      execFileSync('ip', ['netns', 'exec', pod.namespace, process.execPath, tulle, 'init'], {
        env: { PATH: process.env['PATH'] },
      });
    }
    await running?.kill();
    const sidecar: Sidecar = await PodProcess.start(pod, PROXY_UID, 'sidecar.ts');
    this.#sidecars.set(pod.name, sidecar);
    const options: SidecarOptions = {
      podIp: pod.ip,
      spiffe: pod.name === 'client' ? CLIENT_ID : SERVER_ID,
      authority: this.#authority,
      limits,
      opaquePorts: [ports.bytes],
      strictPorts: [ports.strict],
    };
    await sidecar.ask({ do: 'start', options });
  }

  async #startApplication(pod: Pod, address: string): Promise<void> {
    this.#applications.set(pod.name, await PodProcess.start(pod, APP_UID, 'application.ts', [address]));
  }

  /** As when a machine loses power and comes back: nobody is told, and nothing of before is known. */
  async restart(name: 'one' | 'two'): Promise<void> {
    const pod = this.pods[name];
    this.network.unplug(pod);
    await Promise.all([this.#sidecar(pod.name).kill(), this.#application(pod.name).kill()]);
    this.#sidecars.delete(pod.name);
    this.network.remove(pod);
    this.network.pod(pod.name, pod.number);
    await this.startServer(pod);
  }

  async close(): Promise<void> {
    const processes = [...this.#sidecars.values(), ...this.#applications.values()];
    await Promise.all(processes.map(each => each.kill()));
    await this.#caller?.kill();
    this.network.close();
  }

  #sidecar(name: string): Sidecar {
    return this.#sidecars.get(name) as Sidecar;
  }

  #application(name: string): Application {
    return this.#applications.get(name) as Application;
  }

  // ---- Services

  at(server: ServerName, port: PortName, options: Partial<EndpointConfig> = {}): EndpointConfig {
    const identity = server === 'outside' ? '' : SERVER_ID;
    return endpoint(ports[port], { address: this.pods[server].ip, identity, ...options });
  }

  /** A Service for calls of one kind. Endpoints take turns, the first one first. */
  async service(
    kind: CallKind,
    endpoints: readonly EndpointConfig[],
    options: Partial<Pick<ServiceConfig, 'cluster' | 'route'>> = {},
  ): Promise<TestService> {
    const number = ++this.#services;
    const config: ServiceConfig = {
      name: `s${number}`,
      host: serviceAddress(number),
      port: 80,
      protocol: kind === 'tcp' ? 'opaque' : 'detect',
      endpoints,
      cluster: {},
      route: {},
      ...options,
    };
    await this.#sidecar('client').ask({ do: 'service', service: config });
    return { config, kind };
  }

  // ---- Calls

  call(service: TestService, options: Partial<CallRequest> = {}): Promise<Reply> {
    const { kind, config } = service;
    if (this.#caller === null) throw new Error('the world has not started');
    const body = kind === 'tcp' ? 'hello' : '';
    const { host, port } = config;
    return this.#caller.ask({
      kind,
      host,
      port,
      method: 'GET',
      body,
      answerBytes: 0,
      patienceMs: 0,
      everyMs: 0,
      ...options,
    });
  }

  /** A call to a Service, its first unless `number` says otherwise, and nothing besides. */
  async outcome(service: TestService, options: Partial<CallRequest> = {}, number = 0): Promise<Outcome> {
    await this.resetCounts();
    const reply = await this.call(service, options);
    return { reply, line: await this.line(service, number), counts: await this.counts() };
  }

  async resetCounts(): Promise<void> {
    await Promise.all([...this.#applications.values()].map(each => each.ask({ do: 'reset' })));
  }

  /** Since the last {@link resetCounts}. */
  async counts(): Promise<Counts> {
    const all = await Promise.all(
      [...this.#applications.values()].map(each => each.ask<Counts>({ do: 'counts' })),
    );
    const counts: Record<string, number> = {};
    for (const each of all)
      for (const [name, n] of Object.entries(each)) counts[name] = (counts[name] ?? 0) + n;
    return counts;
  }

  /** Resolves when so many have reached an application; the test's own timeout is the limit. */
  async reached(expected: Counts): Promise<void> {
    const wanted = Object.entries(expected);
    for (let counts = await this.counts(); ; counts = await this.counts()) {
      if (wanted.every(([name, n]) => (counts[name] ?? 0) >= n)) return;
    }
  }

  // ---- Traces

  logs(pod: SidecarName): Promise<SidecarLogs> {
    return this.#sidecar(pod).ask({ do: 'logs' });
  }

  async lines(service: TestService): Promise<AccessLine[]> {
    const { access } = await this.logs('client');
    return access.filter(line => line.upstream_cluster === service.config.name);
  }

  /** The line with this number; the log may come after the answer. */
  async line(service: TestService, number: number): Promise<AccessLine> {
    for (;;) {
      const lines = await this.lines(service);
      if (lines.length > number) return lines[number];
    }
  }

  identity(pod: SidecarName, kind: 'own' | 'foreign'): Promise<unknown> {
    return this.#sidecar(pod).ask({ do: 'identity', kind });
  }

  /** Sum of a metric of a pod's sidecar over the series that have these labels. */
  async metric(pod: SidecarName, name: string, labels: Readonly<Record<string, string>>): Promise<number> {
    const metrics = await this.#sidecar(pod).ask<string>({ do: 'metrics' });
    let sum = 0;
    for (const line of metrics.split('\n')) {
      if (!line.startsWith(`${name}{`)) continue;
      const fits = Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`));
      if (fits) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
    return sum;
  }

  /** A metric of the Service as its caller's sidecar counts it. */
  of(service: TestService, name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const destination_service = `${service.config.name}.shop.svc.cluster.local`;
    return this.metric('client', name, { destination_service, ...labels });
  }

  post(pod: ServerName, url: string, body: string): Promise<number> {
    return this.#application(pod).ask({ do: 'post', url, body });
  }
}
