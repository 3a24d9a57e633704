import { constants, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { pemOf } from '../../runtime/x509/pem.ts';
import { createRequest } from '../../runtime/x509/request.ts';
import type { CertificateSigner, SignedCertificate } from './certificate-signer.ts';
import type { Identity, IdentitySource } from './identity.ts';
import { peerIdentity } from './peer-certificate.ts';

const BACKOFF_BASE_MS = 200;
const BACKOFF_MAX_MS = 20_000;
/** Without a valid certificate nothing can be served, so that asks more often. */
const URGENT_MAX_MS = 1000;

/** Renewal is due between 45 % and 55 % of the life: sidecars that started together come apart. */
const RENEW_FROM = 0.45;
const RENEW_SPREAD = 0.1;

/**
 * AES-128 before OpenSSL's default, AES-256: as strong as the P-256 keys of the certificates, and four of its fourteen
 * rounds cheaper. RFC 8446 §9.1 and Appendix B.4.
 */
const CIPHER_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

export interface CertificateSourceOptions {
  /** Own SPIFFE ID, which is asked for; what the token proves must be the same. */
  readonly spiffe: string;
  readonly sign: CertificateSigner;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

interface Material {
  readonly key: string;
  readonly chain: string;
  readonly spiffe: string;
  readonly notAfter: number;
}

/**
 * The sidecar's certificate: the key is made here and never leaves the process, a new one for each certificate. The
 * current one stays until the next is there, however long the control plane is away.
 */
export class CertificateSource implements IdentitySource {
  #current: Identity | null = null;
  readonly #options: CertificateSourceOptions;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(identity: Identity) => void>();
  #material: Material | null = null;
  #roots = '';
  #generation = 0;
  #cancel: () => void = () => {};
  #started = false;
  #stopped = false;
  #failure = 'no trust bundle has been read yet';

  constructor(options: CertificateSourceOptions) {
    this.#options = options;
    this.#backoff = new Backoff(BACKOFF_BASE_MS, BACKOFF_MAX_MS, options.random);
  }

  get current(): Identity | null {
    return this.#current;
  }

  /** Why the last try failed; '' after a success. */
  get failure(): string {
    return this.#failure;
  }

  subscribe(listener: (identity: Identity) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** New roots, PEM: what was learned last is in force. The first call begins to ask for a certificate. */
  trust(rootsPem: string): void {
    if (rootsPem === this.#roots) return;
    this.#roots = rootsPem;
    if (this.#material !== null) this.#publish(this.#material);
    if (this.#started) return;
    this.#started = true;
    void this.#renew();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #renew(): Promise<void> {
    const { spiffe, sign, clock, random, log } = this.#options;
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const outcome = await sign(createRequest(keys, [{ kind: 'uri', value: spiffe }]), this.#roots);
    if (this.#stopped) return;
    const problem =
      outcome.kind === 'failed' ? outcome.reason : this.#accept(outcome.certificate, keys.privateKey);
    this.#failure = problem;
    if (problem !== '') {
      const isValid = this.#current !== null && this.#current.notAfter > clock.unix();
      const retryMs = Math.round(Math.min(this.#backoff.next(), isValid ? BACKOFF_MAX_MS : URGENT_MAX_MS));
      log.warn({ reason: problem, retryMs, has: this.#describe() }, 'no new certificate');
      this.#cancel = clock.after(retryMs, () => void this.#renew());
      return;
    }
    this.#backoff.reset();
    const lifeMs = (this.#current as Identity).notAfter - clock.unix();
    const renewMs = Math.max(1000, lifeMs * (RENEW_FROM + random() * RENEW_SPREAD));
    log.info({ spiffe, notAfter: this.#describe(), renewMs: Math.round(renewMs) }, 'certificate issued');
    this.#cancel = clock.after(renewMs, () => void this.#renew());
  }

  /** Takes a certificate over if it is ours and usable; answers what is wrong with it, '' if nothing is. */
  #accept(certificate: SignedCertificate, key: KeyObject): string {
    const { spiffe, clock } = this.#options;
    let leaf: X509Certificate;
    try {
      leaf = new X509Certificate(certificate.chain[0] ?? Buffer.alloc(0));
      if (!leaf.checkPrivateKey(key)) return 'the certificate is not for our key';
    } catch (error) {
      return `the certificate cannot be read: ${(error as Error).message}`;
    }
    const found = peerIdentity(leaf.raw);
    if (found.kind === 'none') return found.reason;
    if (found.uri !== spiffe) return `the certificate is for ${found.uri}, and we are ${spiffe}`;
    const notAfter = leaf.validToDate.getTime();
    if (notAfter <= clock.unix()) {
      return `the certificate has ended at ${leaf.validToDate.toISOString()}; the clocks of this node and of the control plane differ`;
    }
    if (certificate.roots.length > 0) this.#roots = pemOf(certificate.roots);
    this.#material = {
      key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      chain: pemOf(certificate.chain),
      spiffe: found.uri,
      notAfter,
    };
    this.#publish(this.#material);
    return '';
  }

  #publish({ key, chain, spiffe, notAfter }: Material): void {
    const context = createSecureContext({
      key,
      cert: chain,
      ca: this.#roots,
      minVersion: 'TLSv1.3',
      ciphers: CIPHER_SUITES,
      // A resumed session shows no certificate and skips the check of the identity (RELIABILITY §0.1).
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    this.#current = { generation: ++this.#generation, spiffe, context, notAfter };
    for (const listener of this.#listeners) listener(this.#current);
  }

  #describe(): string {
    return this.#current === null ? 'none' : new Date(this.#current.notAfter).toISOString();
  }
}
