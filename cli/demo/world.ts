/**
 * The demo's cluster: it plays the kubelet for the Deployments of a folder. Each pod is an address on the loopback
 * network, an application process and a sidecar process; its Pod manifest is written to a state folder that the
 * control plane watches besides the user's own. No root, no Kubernetes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ports } from '../../api/ports.ts';
import { metadataKey } from '../../api/xds/names.ts';
import { type Child, startChild } from './child.ts';
import { type Deployment, readDeployments } from './manifests.ts';

const APPLICATION_PORT_OFFSET = 10_000;
/** Applications listen beside their sidecar's port, on the same address. */
export function applicationPort(deployment: Deployment): number {
  return deployment.port + APPLICATION_PORT_OFFSET;
}

const POLL_MS = 20;
/** Second octets that worlds use: 127.16.0.0 to 127.255.0.0. */
const LOWEST_NETWORK = 16;
const NETWORKS = 240;

export interface Pod {
  readonly name: string;
  readonly deployment: Deployment;
  readonly address: string;
  readonly sidecar: Child;
  /** null for the load generator, which the demo is itself. */
  readonly application: Child | null;
}

/** Programs of the demo, as arguments of `node`. */
export interface Programs {
  tulle: readonly string[];
  /** null: the Deployments' applications are started by somebody else, on {@link applicationPort}. */
  application: readonly string[] | null;
}

export interface WorldOptions {
  /** Folder of the user's manifests. */
  manifests: string;
  /** Folder for state, keys and logs; emptied by the caller. */
  directory: string;
  programs: Programs;
  /** Second octet of the pods' addresses: 127.<network>.0.0/16, see {@link freeNetwork}. */
  network: number;
  /** Settings of a pod's sidecar besides those that it needs (api/sidecar.ts). */
  sidecarSettings?: (deployment: Deployment, address: string) => Record<string, string>;
  /** Settings of the control plane besides those that it needs (control-plane/config/settings.ts). */
  controlPlaneSettings?: Record<string, string>;
}

async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 45_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${timeoutMs} ms`);
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

/**
 * A network of which nobody uses the control plane's port, so that worlds may stand side by side. The search begins
 * anywhere, since two worlds may be looking at the same time.
 */
export async function freeNetwork(): Promise<number> {
  const first = Math.floor(Math.random() * NETWORKS);
  for (let i = 0; i < NETWORKS; i++) {
    const network = LOWEST_NETWORK + ((first + i) % NETWORKS);
    const server = createServer();
    server.listen(ports.controlPlane, controlPlaneAddress(network));
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (free) return network;
  }
  throw new Error(`port ${ports.controlPlane} is in use on every network of 127.16.0.0 to 127.255.0.0`);
}

function controlPlaneAddress(network: number): string {
  return `127.${network}.0.1`;
}

export class World {
  readonly pods: Pod[] = [];
  readonly #options: WorldOptions;
  readonly #tokens: { namespace: string; serviceAccount: string; pod: string; tokenSha256: string }[] = [];
  readonly #controlPlaneAddress: string;
  #controlPlane: Child | null = null;
  #addresses = 1;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#controlPlaneAddress = controlPlaneAddress(options.network);
    for (const folder of ['state', 'tokens', 'logs', 'ca'])
      mkdirSync(join(options.directory, folder), { recursive: true });
    this.#writeTokens();
  }

  path(...parts: string[]): string {
    return join(this.#options.directory, ...parts);
  }

  /** Control plane first (it makes the roots), then all pods side by side. */
  async start(): Promise<void> {
    this.startControlPlane();
    await until(
      () => existsSync(this.path('ca', 'ca.crt')),
      'the control plane making its certificate authority',
    );
    const deployments = readDeployments(this.#options.manifests);
    await Promise.all(
      deployments.flatMap(deployment =>
        Array.from({ length: deployment.replicas }, () => this.startPod(deployment)),
      ),
    );
  }

  startControlPlane(): void {
    this.#controlPlane = startChild(
      [...this.#options.programs.tulle, 'control-plane'],
      {
        TULLE_SOURCE: 'directory',
        TULLE_DIRECTORIES: `${this.#options.manifests},${this.path('state')}`,
        TULLE_CA_DIRECTORY: this.path('ca'),
        TULLE_WORKLOAD_TOKENS: this.path('tokens.json'),
        TULLE_LISTEN_ADDRESS: this.#controlPlaneAddress,
        ...this.#options.controlPlaneSettings,
      },
      this.path('logs', 'control-plane.log'),
    );
  }

  async stopControlPlane(): Promise<void> {
    await this.#controlPlane?.stop(5000);
    this.#controlPlane = null;
  }

  /** Base of the control plane's admin port. */
  get controlPlaneAdmin(): string {
    return `http://${this.#controlPlaneAddress}:${ports.controlPlaneAdmin}`;
  }

  controlPlaneReady(): Promise<boolean> {
    return answers(`${this.controlPlaneAdmin}/ready`);
  }

  /** Starts a pod and waits until it is ready; only then does the control plane hear that it is. */
  async startPod(deployment: Deployment): Promise<Pod> {
    const name = `${deployment.name}-${randomBytes(3).toString('hex')}`;
    const index = ++this.#addresses;
    const address = `127.${this.#options.network}.${index >> 8}.${index & 255}`;
    // The sidecar asks for the configuration of its own pod, so the pod must be known before it is ready.
    this.#writePod(name, deployment, address, false);
    const token = this.#issueToken(name, deployment);
    const proxy = `http://${address}:${ports.outbound}`;
    const application =
      deployment.port === 0 || this.#options.programs.application === null
        ? null
        : startChild(
            [...this.#options.programs.application, ...deployment.args],
            {
              ...deployment.env,
              HOST: address,
              PORT: String(applicationPort(deployment)),
              HOSTNAME: name,
              VERSION: deployment.labels.version ?? '',
              // No redirection here, so the application is told of its sidecar in the usual way.
              HTTP_PROXY: proxy,
              grpc_proxy: proxy,
              // grpc-js opens its tunnel with node:http, which must not take it through the proxy once more.
              NO_PROXY: address,
              NODE_USE_ENV_PROXY: '1',
            },
            this.path('logs', `${name}.app.log`),
          );
    const sidecar = startChild(
      [...this.#options.programs.tulle, 'sidecar'],
      {
        TULLE_MODE: 'explicit',
        TULLE_POD_NAME: name,
        TULLE_POD_NAMESPACE: deployment.namespace,
        TULLE_POD_IP: address,
        TULLE_SERVICE_ACCOUNT: deployment.serviceAccount,
        TULLE_CONTROL_PLANE: `${this.#controlPlaneAddress}:${ports.controlPlane}`,
        TULLE_CONTROL_PLANE_NAME: 'tulle-control-plane.tulle-system.svc',
        TULLE_TRUST_BUNDLE: this.path('ca', 'ca.crt'),
        TULLE_TOKEN: token,
        TULLE_LISTEN_ADDRESS: address,
        TULLE_INBOUND_LISTENERS:
          deployment.port === 0
            ? ''
            : `${address}:${deployment.port}=${address}:${applicationPort(deployment)}`,
        ...this.#options.sidecarSettings?.(deployment, address),
      },
      this.path('logs', `${name}.sidecar.log`),
    );
    const pod: Pod = { name, deployment, address, sidecar, application };
    this.pods.push(pod);
    await until(
      () => answers(`http://${address}:${ports.admin}/ready`),
      `sidecar of ${name} being ready (see ${this.path('logs')})`,
    );
    if (application !== null && deployment.args[0] !== 'payments') {
      const probe = `http://${address}:${applicationPort(deployment)}/_fault`;
      await until(async () => (await fetch(probe).catch(() => null)) !== null, `${name} listening`);
    }
    this.#writePod(name, deployment, address, true);
    return pod;
  }

  /** As Kubernetes does it: out of the endpoints and SIGTERM to the application at once, then to the sidecar. */
  async stopPod(pod: Pod): Promise<void> {
    this.#forget(pod);
    await pod.application?.stop(10_000);
    await pod.sidecar.stop(10_000);
  }

  /** SIGKILL to both processes; the manifest stays until `deletePod`, as nobody has noticed yet. */
  async crashPod(pod: Pod): Promise<void> {
    await Promise.all([pod.application?.kill(), pod.sidecar.kill()]);
  }

  deletePod(pod: Pod): void {
    this.#forget(pod);
  }

  podsOf(deployment: string): Pod[] {
    return this.pods.filter(pod => pod.deployment.name === deployment);
  }

  /** Each pod of the Deployment is replaced by a new one, one after the other. */
  async rollingRestart(deployment: string): Promise<void> {
    for (const pod of this.podsOf(deployment)) {
      await this.startPod(pod.deployment);
      await this.stopPod(pod);
    }
  }

  /** Makes a share of a pod's answers fail, from the next request on. */
  async fault(pod: Pod, rate: number): Promise<void> {
    await fetch(`http://${pod.address}:${applicationPort(pod.deployment)}/_fault?rate=${rate}`, {
      method: 'PUT',
    });
  }

  async metrics(pod: Pod): Promise<string> {
    return (await fetch(`http://${pod.address}:${ports.admin}/metrics`)).text();
  }

  async stop(): Promise<void> {
    await Promise.all(this.pods.map(async pod => Promise.all([pod.application?.kill(), pod.sidecar.kill()])));
    await this.#controlPlane?.kill();
  }

  #forget(pod: Pod): void {
    const index = this.pods.indexOf(pod);
    if (index >= 0) this.pods.splice(index, 1);
    rmSync(this.path('state', `${pod.name}.yaml`), { force: true });
  }

  #issueToken(pod: string, deployment: Deployment): string {
    const token = randomBytes(32).toString('base64url');
    const file = this.path('tokens', pod);
    writeFileSync(file, token, { mode: 0o600 });
    const tokenSha256 = createHash('sha256').update(token).digest('hex');
    this.#tokens.push({
      namespace: deployment.namespace,
      serviceAccount: deployment.serviceAccount,
      pod,
      tokenSha256,
    });
    this.#writeTokens();
    return file;
  }

  #writeTokens(): void {
    this.#write('tokens.json', JSON.stringify(this.#tokens));
  }

  #writePod(name: string, deployment: Deployment, address: string, ready: boolean): void {
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: deployment.namespace,
        uid: name,
        labels: deployment.labels,
        annotations: { [`${metadataKey}/injected`]: 'true' },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: deployment.name,
            uid: deployment.name,
            controller: true,
          },
        ],
      },
      spec: {
        serviceAccountName: deployment.serviceAccount,
        containers: [
          {
            name: 'app',
            image: 'demo',
            ports:
              deployment.port === 0
                ? []
                : [{ containerPort: deployment.port, name: deployment.portName || undefined }],
          },
        ],
      },
      status: {
        phase: 'Running',
        podIP: address,
        podIPs: [{ ip: address }],
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      },
    };
    this.#write(join('state', `${name}.yaml`), stringify(manifest));
  }

  /** By renaming, so that nobody reads half a file. */
  #write(file: string, text: string): void {
    const path = this.path(file);
    writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }
}
