/**
 * Tulle: its own control plane and sidecars, as in the demo, with nginx in the place of the application. The single hops
 * go to an endpoint without a sidecar, the others through two sidecars and mutual TLS.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { version } from '../../api/version.ts';
import { applicationPort, freeNetwork, World } from '../../cli/demo/world.ts';
import { backend, backendAnywhere, manyEndpoints, proxyPorts } from '../addresses.ts';
import { type Listen, startBackend } from '../backends/backend.ts';
import { issueCertificate } from '../certificates.ts';
import { listening } from '../process.ts';

import type { Proxy, Scale, Way } from './proxy.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'dist/tulle.js');
/** Rules of one HTTPRoute at most. */
const RULES = 16;

interface Destination {
  /** Service that the load calls; `plain` has no sidecar. */
  service: string;
  port: number;
  appProtocol: string;
  backend: Listen['protocol'];
}

const DESTINATIONS: Readonly<Record<Way, Destination>> = {
  http1: { service: 'plain', port: backend.http1, appProtocol: 'http', backend: 'http1' },
  http2: { service: 'plain', port: backend.http2, appProtocol: 'kubernetes.io/h2c', backend: 'http2' },
  mtls: { service: 'server', port: 8081, appProtocol: 'kubernetes.io/h2c', backend: 'http2' },
  'mtls-http1': { service: 'server', port: 8080, appProtocol: 'http', backend: 'http1' },
  'mtls-tcp': { service: 'server', port: 8082, appProtocol: 'tcp', backend: 'echo' },
  'mtls-grpc': { service: 'server', port: 8083, appProtocol: 'grpc', backend: 'grpc' },
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

const service = ({ service: name, port, appProtocol }: Destination): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: bench }
spec:
  selector: { app: ${name} }
  ports: [{ name: main, port: ${port}, targetPort: ${port}, appProtocol: ${appProtocol} }]
`;

/** Two rules and a retry policy, as the other proxies have. */
const route = ({ service: name, port }: Destination): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: bench }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${name} }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /api } }]
      backendRefs: [{ name: ${name}, port: ${port} }]
      retry: { attempts: 2, codes: [503] }
    - backendRefs: [{ name: ${name}, port: ${port} }]
      retry: { attempts: 2, codes: [503] }
`;

/** Rules for prefixes, in routes of 16: as many as Gateway API allows one to have. */
function prefixRoutes({ service: name, port }: Destination, count: number): string[] {
  const rule = (i: number): string => `
    - matches: [{ path: { type: PathPrefix, value: /service-${i} } }]
      backendRefs: [{ name: ${name}, port: ${port} }]
      retry: { attempts: 2, codes: [503] }`;
  return Array.from({ length: Math.ceil(count / RULES) }, (_, route) => {
    const rules = Array.from({ length: Math.min(RULES, count - route * RULES) }, (_, i) =>
      rule(route * RULES + i),
    );
    return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}-${route}, namespace: bench }
spec:
  parentRefs: [{ group: "", kind: Service, name: ${name} }]
  rules:${rules.join('')}
`;
  });
}

/** An endpoint without a sidecar: the backend itself. */
const plainPod = (host: string, i: number): string => `apiVersion: v1
kind: Pod
metadata: { name: plain-${i}, namespace: bench, labels: { app: plain } }
spec: { containers: [{ name: app, image: bench }] }
status: { phase: Running, podIP: ${host}, podIPs: [{ ip: ${host} }], conditions: [{ type: Ready, status: "True" }] }
`;

function manifests(destination: Destination, { routes = 0, endpoints }: Scale): string {
  const { service: name, port, appProtocol } = destination;
  const plain = endpoints === undefined ? [backend] : manyEndpoints(endpoints);
  return [
    'apiVersion: v1\nkind: Namespace\nmetadata: { name: bench }\n',
    deployment('client', 0),
    service(destination),
    ...(appProtocol === 'tcp' ? [] : [route(destination)]),
    ...prefixRoutes(destination, routes),
    ...(name === 'plain' ? plain.map(({ host }, i) => plainPod(host, i)) : [deployment(name, port)]),
  ].join('---\n');
}

export const tulle: Proxy = {
  name: 'tulle',
  missing: () => (existsSync(PROGRAM) ? null : 'dist/tulle.js is missing: npm run build'),
  version: () => version,
  async start(way, context) {
    const { scale = {} } = context;
    const destination =
      scale.endpoints === undefined
        ? DESTINATIONS[way]
        : { ...DESTINATIONS[way], port: backendAnywhere.port };
    const folder = join(context.folder, 'tulle');
    const sources = join(folder, 'manifests');
    mkdirSync(sources, { recursive: true });
    writeFileSync(join(sources, 'all.yaml'), manifests(destination, scale));
    const listen = proxyPorts.client;
    const world = new World({
      manifests: sources,
      directory: folder,
      programs: { tulle: [PROGRAM], application: null },
      network: await freeNetwork(),
      sidecarSettings: ({ name }, address): Record<string, string> =>
        name === 'client'
          ? {
              TULLE_OUTBOUND_LISTENERS: `${address}:${listen}=${destination.service}.bench:${destination.port}`,
            }
          : {},
    });
    await world.start();
    const [client] = world.podsOf('client');
    const servers = world.podsOf('server');
    const applications = await startBackend(
      join(folder, 'application'),
      servers.map(pod => ({
        host: pod.address,
        port: applicationPort(pod.deployment),
        protocol: destination.backend,
      })),
    );
    await listening(client.address, listen);
    return {
      target: { host: client.address, port: listen },
      server: servers.length === 0 ? null : { host: servers[0].address, port: destination.port },
      identity: () => {
        const root = { key: world.path('ca', 'tls.key'), certificate: world.path('ca', 'tls.crt') };
        return { ca: world.path('ca', 'ca.crt'), client: issueCertificate(folder, root, 'client') };
      },
      pids: [client, ...servers].map(pod => pod.sidecar.process.pid ?? 0),
      async stop() {
        await world.stop();
        await Promise.all(applications.map(application => application.stop()));
      },
    };
  },
};
