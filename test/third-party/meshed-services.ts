/**
 * A mesh of real processes for third parties to call: a control plane on a folder of manifests, with its plaintext port,
 * and a sidecar for each service. The applications behind the sidecars are in the process of the test.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parsePrometheusText, sum } from '../../cli/demo/prometheus-text.ts';
import { applicationPort, freeNetwork, type Pod, World } from '../../cli/demo/world.ts';
import { type Authority, readAuthority } from '../../control-plane/identity/authority.ts';
import { type Backend, grpcBackend, httpBackend } from './backend.ts';
import { freePort } from './envoy-process.ts';
import { knownEndpoints } from './known-endpoints.ts';
import { expectNothingRefused } from './nothing-refused.ts';

export interface MeshedServices {
  /** Of the control plane's ADS on 127.0.0.1, without TLS. */
  readonly controlPort: number;
  /** The mesh's own authority, to certify clients that are no sidecars. */
  readonly authority: Authority;
  /** `<address>:<port>` where the sidecar of the service listens, and nobody else. */
  inboundOf(service: string): string;
  /** Answered requests of these labels, counted by the sidecar of the service. */
  served(service: string, labels: Readonly<Record<string, string>>): Promise<number>;
  stop(): Promise<void>;
}

/** The services of manifests/meshed.yaml. */
export async function startMeshedServices(): Promise<MeshedServices> {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-meshed-'));
  const controlPort = await freePort();
  const world = new World({
    manifests: join(import.meta.dirname, 'manifests'),
    directory,
    // The sources and not the bundle, which may be of another day.
    programs: { tulle: [resolve(import.meta.dirname, '../../cli/tulle.ts')], application: null },
    network: await freeNetwork(),
    controlPlaneSettings: { TULLE_PLAINTEXT_PORT: String(controlPort) },
  });
  const applications: Backend[] = [];
  async function stop(): Promise<void> {
    await world.stop();
    await Promise.all(applications.map(application => application.close()));
    rmSync(directory, { recursive: true, force: true });
  }
  try {
    await world.start();
    for (const pod of world.pods) applications.push(await startApplication(pod));
    await knownEndpoints(controlPort, [
      'service/shop/echo:7000',
      'service/shop/web:80',
      'service/vault/secrets:7000',
    ]);
    return {
      controlPort,
      authority: authorityIn(world),
      inboundOf(service) {
        const [{ address, deployment }] = world.podsOf(service);
        return `${address}:${deployment.port}`;
      },
      async served(service, labels) {
        const [pod] = world.podsOf(service);
        const samples = parsePrometheusText(await world.metrics(pod));
        return sum(samples, 'istio_requests_total', { reporter: 'destination', ...labels });
      },
      async stop() {
        try {
          await expectNothingRefused(world.controlPlaneAdmin);
        } finally {
          await stop();
        }
      },
    };
  } catch (error) {
    const logs = readFileSync(world.path('logs', 'control-plane.log'), 'utf8');
    await stop();
    throw new Error(`the mesh did not start; log of its control plane:\n${logs}`, { cause: error });
  }
}

/** Where only the sidecar of the pod calls it. */
function startApplication({ deployment, address }: Pod): Promise<Backend> {
  const at = { host: address, port: applicationPort(deployment) };
  return deployment.name === 'web' ? httpBackend('web', at) : grpcBackend(deployment.name, at);
}

function authorityIn(world: World): Authority {
  const read = (file: string): string => readFileSync(world.path('ca', file), 'utf8');
  const files = { certificate: read('tls.crt'), key: read('tls.key'), roots: read('ca.crt') };
  const result = readAuthority(files, Date.now());
  if (result.kind === 'problem') throw new Error(result.problem);
  return result.authority;
}
