/** A control plane's identity over real sockets, and sidecars that ask it for certificates. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { controlPlaneName, systemNamespace } from '../../api/installation.ts';
import {
  type ControlPlaneIdentity,
  createIdentity,
} from '../../control-plane/identity/control-plane-identity.ts';
import { directoryReviewer } from '../../control-plane/identity/directory-reviewer.ts';
import { directoryStore } from '../../control-plane/identity/directory-store.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { controlPlaneSigner } from '../../proxy/identity/certificate-signer.ts';
import { CertificateSource } from '../../proxy/identity/certificate-source.ts';
import { FlushQueue } from '../../proxy/transport/output.ts';
import { createSharedReadBuffer } from '../../proxy/transport/read-buffer.ts';
import type { ControlConnectionContext, ControlPlaneTarget } from '../../proxy/xds/control-connection.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { createLogger, type Logger } from '../../runtime/log.ts';

export const SERVER_NAME = `${controlPlaneName}.${systemNamespace}.svc`;

export interface Workload {
  namespace: string;
  serviceAccount: string;
  pod: string;
}

/** Lines that were logged, for assertions. */
export function logInto(lines: Record<string, unknown>[]): Logger {
  return createLogger('test', 'trace', { write: line => void lines.push(JSON.parse(line)) });
}

export function silent(): Logger {
  return createLogger('test', 'silent');
}

/** A folder with the authority and the tokens, which outlives the processes of the control plane. */
export class Installation {
  readonly folder = mkdtempSync(join(tmpdir(), 'tulle-identity-'));
  readonly #tokens: (Workload & { tokenSha256: string })[] = [];

  constructor() {
    this.#write();
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Issues a token to a workload; returns its file. */
  token(workload: Workload): string {
    const token = randomBytes(32).toString('base64url');
    const file = this.path(`${workload.pod}.token`);
    writeFileSync(file, token);
    this.#tokens.push({ ...workload, tokenSha256: createHash('sha256').update(token).digest('hex') });
    this.#write();
    return file;
  }

  #write(): void {
    writeFileSync(this.path('tokens.json'), JSON.stringify(this.#tokens));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

export interface RunningControlPlane {
  readonly identity: ControlPlaneIdentity;
  readonly port: number;
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  port?: number;
  clock?: Clock;
  leafLifeMs?: number;
  log?: Logger;
  /** More services on the same port, made when the identity is there. */
  services?(identity: ControlPlaneIdentity): [ServiceDefinition, UntypedServiceImplementation][];
}

export async function startControlPlane(
  installation: Installation,
  options: ControlPlaneOptions = {},
): Promise<RunningControlPlane> {
  const log = options.log ?? silent();
  const identity = await createIdentity({
    store: directoryStore(installation.path('ca')),
    reviewer: directoryReviewer(installation.path('tokens.json'), log),
    trustDomain: 'cluster.local',
    clusterDomain: 'cluster.local',
    ...(options.leafLifeMs === undefined ? {} : { leafLifeMs: options.leafLifeMs }),
    clock: options.clock ?? systemClock,
    log,
  });
  const server = new Server();
  const { definition, implementation } = identity.certificateService;
  server.addService(definition, { ...implementation });
  for (const [more, methods] of options.services?.(identity) ?? []) server.addService(more, methods);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, identity.serverCredentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    identity,
    port,
    async stop() {
      server.forceShutdown();
      identity.stop();
      await new Promise(resolve => {
        setImmediate(resolve);
      });
    },
  };
}

export function connectionContext(clock: Clock = systemClock): ControlConnectionContext {
  return {
    transport: { queue: new FlushQueue(), readBuffer: createSharedReadBuffer(), keepaliveMs: 10_000 },
    workspace: new Http2Workspace(),
    clock,
    connectTimeoutMs: 2000,
  };
}

export const targetOf = (port: number, serverName = SERVER_NAME): ControlPlaneTarget => ({
  host: '127.0.0.1',
  port,
  serverName,
});

/** A sidecar's identity; the caller gives it the roots. */
export function sidecarIdentity(
  workload: Workload,
  tokenFile: string,
  port: number,
  options: { clock?: Clock; log?: Logger; serverName?: string } = {},
): CertificateSource {
  const clock = options.clock ?? systemClock;
  return new CertificateSource({
    spiffe: `spiffe://cluster.local/ns/${workload.namespace}/sa/${workload.serviceAccount}`,
    sign: controlPlaneSigner(connectionContext(), targetOf(port, options.serverName), tokenFile),
    clock,
    random: () => 0.5,
    log: options.log ?? silent(),
  });
}
