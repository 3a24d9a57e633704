/**
 * Tulle: its own control plane and sidecars, as in the demo, with nginx in the place of the application. The single hops
 * go to an endpoint without a sidecar, the others through two sidecars and mutual TLS.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { applicationPort, freeNetwork, World } from '../../cli/demo/world.ts';
import { backend, proxyPorts } from '../addresses.ts';
import { listening } from '../process.ts';
import { startBackend } from './backend.ts';
import type { Proxy, Way } from './proxy.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'dist/tulle.js');

/** Service and port that each way calls. */
const DESTINATIONS: Readonly<Record<Way, { service: string; port: number; listen: number }>> = {
  http1: { service: 'plain', port: backend.http1, listen: proxyPorts.http1 },
  http2: { service: 'plain', port: backend.http2, listen: proxyPorts.http2 },
  mtls: { service: 'server-http2', port: 8081, listen: proxyPorts.mtlsClient },
  'mtls-http1': { service: 'server-http1', port: 8080, listen: proxyPorts.mtlsClientHttp1 },
};

const deployment = (name: string, port: number): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: bench }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name}, version: v1 } }
    spec:
      serviceAccountName: ${name}
      containers: [{ name: app, image: bench${port === 0 ? '' : `, ports: [{ containerPort: ${port} }]`} }]
`;

const service = (name: string, ports: readonly [port: number, protocol: string][]): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: bench }
spec:
  selector: { app: ${name} }
  ports:
${ports.map(([port, protocol]) => `    - { name: p${port}, port: ${port}, targetPort: ${port}, appProtocol: ${protocol} }\n`).join('')}`;

/** Two rules and a retry policy, as the other proxies have. */
const route = (name: string): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: bench }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${name} }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /api } }]
      backendRefs: [{ name: ${name}, port: PORT }]
      retry: { attempts: 2, codes: [503] }
    - backendRefs: [{ name: ${name}, port: PORT }]
      retry: { attempts: 2, codes: [503] }
`;

function manifests(way: Way): string {
  const { service: name, port } = DESTINATIONS[way];
  const plainPod = `apiVersion: v1
kind: Pod
metadata: { name: plain-0, namespace: bench, labels: { app: plain } }
spec: { containers: [{ name: app, image: bench }] }
status: { phase: Running, podIP: ${backend.host}, podIPs: [{ ip: ${backend.host} }], conditions: [{ type: Ready, status: "True" }] }
`;
  const documents = [
    'apiVersion: v1\nkind: Namespace\nmetadata: { name: bench }\n',
    deployment('client', 0),
    service(name, [[port, way === 'http2' || way === 'mtls' ? 'kubernetes.io/h2c' : 'http']]),
    route(name).replaceAll('PORT', String(port)),
    name === 'plain' ? plainPod : deployment(name, port),
  ];
  return documents.join('---\n');
}

export const tulle: Proxy = {
  name: 'tulle',
  missing: () => (existsSync(PROGRAM) ? null : 'dist/tulle.js is missing: npm run build'),
  supports: () => true,
  async start(way, context) {
    const folder = join(context.folder, `tulle-${way}`);
    const sources = join(folder, 'manifests');
    mkdirSync(sources, { recursive: true });
    writeFileSync(join(sources, 'all.yaml'), manifests(way));
    const { service: name, port, listen } = DESTINATIONS[way];
    const world = new World({
      manifests: sources,
      directory: folder,
      programs: { tulle: [PROGRAM], application: null },
      network: await freeNetwork(),
      sidecarSettings: ({ name: pod }, address): Record<string, string> =>
        pod === 'client' ? { TULLE_OUTBOUND_LISTENERS: `${address}:${listen}=${name}.bench:${port}` } : {},
    });
    await world.start();
    const [client] = world.podsOf('client');
    const servers = world.podsOf(name);
    // The application of the server's pod.
    const application =
      servers.length === 0
        ? null
        : await startBackend(
            join(folder, 'application'),
            servers.map(pod => ({
              host: pod.address,
              port: applicationPort(pod.deployment),
              http2: way === 'mtls',
            })),
          );
    await listening(client.address, listen);
    return {
      url: `http://${client.address}:${listen}/`,
      pids: [client, ...servers].map(pod => pod.sidecar.process.pid ?? 0),
      async stop() {
        await world.stop();
        await application?.stop();
      },
    };
  },
};
