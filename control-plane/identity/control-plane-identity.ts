/**
 * Identity in the control plane: the certificate authority, the service that signs for sidecars, the credentials of the
 * port that it and ADS share, and who a client is.
 */
import type { ServerCredentials, ServerUnaryCall } from '@grpc/grpc-js';
import { controlPlaneName, systemNamespace } from '../../api/installation.ts';
import { parseSpiffe, type WorkloadIdentity } from '../../api/spiffe.ts';
import { certificateIdentity } from '../../api/spiffe-certificate.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { AuthorityStore } from './authority-store.ts';
import { type CertificateService, createCertificateService } from './certificate-service.ts';
import { LiveAuthority } from './live-authority.ts';
import { serveCertificate } from './serving-certificate.ts';
import type { TokenReviewer } from './token-review.ts';

const DAY_MS = 86_400_000;

export interface IdentityOptions {
  /** `directoryStore(...)` or `secretStore(...)`. */
  readonly store: AuthorityStore;
  /** `directoryReviewer(...)` or `kubernetesReviewer(...)`. */
  readonly reviewer: TokenReviewer;
  readonly trustDomain: string;
  /** For the second of the control plane's DNS names, `cluster.local`. */
  readonly clusterDomain: string;
  /** Life of a workload's certificate in milliseconds; 24 hours. */
  readonly leafLifeMs?: number;
  /** Life of the control plane's own certificate in milliseconds; 24 hours. */
  readonly servingLifeMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ControlPlaneIdentity {
  /** `server.addService(certificateService.definition, certificateService.implementation)`. */
  readonly certificateService: CertificateService;
  /** `server.bindAsync(address, serverCredentials, ...)`; rotates by itself. */
  readonly serverCredentials: ServerCredentials;
  /**
   * Who a client is by its verified certificate; null if it showed none, one that is not valid any more, or one that is
   * no workload's of this trust domain. To be asked when a stream begins: ADS must refuse null with UNAUTHENTICATED.
   */
  identify(call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>): WorkloadIdentity | null;
  /** Every root that is trusted now, PEM. */
  readonly bundlePem: string;
  /** Called with the new bundle after every change of the authority; returns what ends it. */
  onBundleChange(listener: (bundlePem: string) => void): () => void;
  /** Why this replica must not be ready; null if all is well. */
  unready(): string | null;
  /** Unix milliseconds, for metrics. */
  readonly authorityNotAfter: number;
  readonly servingNotAfter: number;
  stop(): void;
}

/** Opens (and if there is none makes) the authority. Throws if what is stored cannot be used, with the remedy. */
export async function createIdentity(options: IdentityOptions): Promise<ControlPlaneIdentity> {
  const { clock, log, trustDomain } = options;
  const authority = await LiveAuthority.open(options.store, clock, log);
  const service = `${controlPlaneName}.${systemNamespace}.svc`;
  const names = [service, `${service}.${options.clusterDomain}`];
  const serving = serveCertificate(authority, names, options.servingLifeMs ?? DAY_MS, clock, log);
  return {
    certificateService: createCertificateService({
      authority,
      reviewer: options.reviewer,
      trustDomain,
      leafLifeMs: options.leafLifeMs ?? DAY_MS,
      clock,
      log,
    }),
    serverCredentials: serving.credentials,
    identify: call => identify(call, trustDomain, clock.unix()),
    get bundlePem() {
      return authority.current.bundlePem;
    },
    onBundleChange: listener => authority.subscribe(current => listener(current.bundlePem)),
    unready() {
      if (serving.notAfter > clock.unix()) return null;
      return 'the serving certificate has expired and could not be renewed; see the log';
    },
    get authorityNotAfter() {
      return authority.current.notAfter;
    },
    get servingNotAfter() {
      return serving.notAfter;
    },
    stop() {
      serving.stop();
      authority.stop();
    },
  };
}

/** grpc-js shows a peer's certificate only if the handshake has verified it against the bundle. */
function identify(
  call: Parameters<ControlPlaneIdentity['identify']>[0],
  trustDomain: string,
  unixMs: number,
): WorkloadIdentity | null {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined || Date.parse(certificate.valid_to) <= unixMs) return null;
  const found = certificateIdentity(certificate.raw);
  if (found.kind === 'none') return null;
  const identity = parseSpiffe(found.uri);
  return identity?.trustDomain === trustDomain ? identity : null;
}
