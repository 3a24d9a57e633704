/**
 * Pods of one Service, `orders`, and of its callers, as real processes: a control plane on a folder of manifests and a sidecar
 * for each pod, bundled as in the image. The applications are in the process of the test.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { freeNetwork, type Pod, World } from '../../cli/demo/world.ts';

export type { Pod };

/** A port of the Service, and the port on 127.0.0.1 on which its application listens for all pods. */
export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** `appProtocol` of the Service port. */
  readonly protocol: string;
  readonly application: number;
}

export interface SidecarPods {
  /** First two octets of all addresses of pods, with the dots. */
  readonly network: string;
  /** A new endpoint of `orders`, ready. */
  server(): Promise<Pod>;
  /** A new caller, ready. */
  client(): Promise<Pod>;
  /** Where an application calls a port of `orders` through the sidecar of its pod. */
  callAt(client: Pod, port: string): { readonly host: string; readonly port: number };
  /** Takes the pod out of the endpoints, which its callers hear a moment later. */
  withdraw(pod: Pod): void;
  logOf(pod: Pod): string;
  stop(): Promise<void>;
}

/** A busy machine may take its time for a handshake. */
const CONNECT_TIMEOUT_MS = '20000';

/** Where callers listen for a port of the Service. */
const CALL_OFFSET = 20_000;

const deployment = (name: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec:
  replicas: 0
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name}, version: v1 } }
    spec: { serviceAccountName: ${name}, containers: [{ name: app, image: test }] }
`;

const service = (ports: readonly ServicePort[]): string => `apiVersion: v1
kind: Service
metadata: { name: orders, namespace: shop }
spec:
  selector: { app: orders }
  ports:
${ports.map(({ name, port, protocol }) => `    - { name: ${name}, port: ${port}, targetPort: ${port}, appProtocol: ${protocol} }\n`).join('')}`;

const of = (name: string): Pod['deployment'] => ({
  name,
  namespace: 'shop',
  replicas: 0,
  labels: { app: name, version: 'v1' },
  serviceAccount: name,
  args: [],
  port: 0,
  env: {},
});

/** The `tulle` command as it is now; a built one may be of another day. */
async function bundle(outdir: string): Promise<string> {
  await build({
    entryPoints: [resolve(import.meta.dirname, '../../cli/tulle.ts')],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    external: ['koffi'],
    outExtension: { '.js': '.mjs' },
    // CommonJS dependencies ask for Node's modules with require, which a module does not have.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return join(outdir, 'tulle.mjs');
}

/** @param settings of all sidecars, besides those that a pod needs (api/sidecar.ts) */
export async function startSidecarPods(
  ports: readonly ServicePort[],
  settings: Readonly<Record<string, string>> = {},
): Promise<SidecarPods> {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-pods-'));
  const manifests = join(directory, 'manifests');
  mkdirSync(manifests);
  const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n';
  writeFileSync(
    join(manifests, 'shop.yaml'),
    [namespace, deployment('orders'), deployment('client'), service(ports)].join('---\n'),
  );
  const listeners = {
    orders: (address: string) => ({
      TULLE_INBOUND_LISTENERS: ports
        .map(({ port, application }) => `${address}:${port}=127.0.0.1:${application}`)
        .join(),
    }),
    client: (address: string) => ({
      TULLE_OUTBOUND_LISTENERS: ports
        .map(({ port }) => `${address}:${port + CALL_OFFSET}=orders.shop:${port}`)
        .join(),
    }),
  };
  const network = await freeNetwork();
  const world = new World({
    manifests,
    directory,
    programs: { tulle: [await bundle(join(directory, 'bundle'))], application: null },
    network,
    sidecarSettings: ({ name }, address) => ({
      ...listeners[name as keyof typeof listeners](address),
      TULLE_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS,
      ...settings,
    }),
    controlPlaneSettings: { TULLE_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS },
  });
  const log = (name: string): string => readFileSync(world.path('logs', name), 'utf8');
  const stop = async (): Promise<void> => {
    await world.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await world.start();
  } catch (error) {
    const told = log('control-plane.log');
    await stop();
    throw new Error(`the control plane did not start:\n${told}`, { cause: error });
  }
  return {
    network: `127.${network}.`,
    server: () => world.startPod(of('orders')),
    client: () => world.startPod(of('client')),
    callAt(client, name) {
      const found = ports.find(port => port.name === name);
      if (found === undefined) throw new Error(`the service has no port ${name}`);
      return { host: client.address, port: found.port + CALL_OFFSET };
    },
    withdraw: pod => world.deletePod(pod),
    logOf: pod => log(`${pod.name}.sidecar.log`),
    stop,
  };
}
