/**
 * Keeps the injector's serving certificate and what API servers trust for it. Replicas share the authorities in a Secret;
 * each has a serving certificate and key of its own, in memory only. All of it is repaired at every synchronisation.
 */
import { Backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { createAuthority, issue, type KeyPair } from './authority.ts';
import { planAuthorities, type RotationPlan, type RotationTimes, renewalDue } from './rotation.ts';
import type { AuthorityStore, BundleStore } from './stores.ts';

export interface KeeperOptions {
  authorities: AuthorityStore;
  bundle: BundleStore;
  /** DNS names of the serving certificate. */
  names: readonly string[];
  times: RotationTimes;
  /** Between synchronisations. Also the time after which a caBundle that somebody has overwritten is repaired. */
  intervalMs: number;
  clock: Clock;
  log: Logger;
  /** Called with each new certificate, after the authority that signed it has been published. */
  onCertificate(certificate: KeyPair): void;
}

/** Tries of one synchronisation against other replicas that write at the same moment. */
const MAX_CONFLICTS = 5;

export class CertificateKeeper {
  readonly #options: KeeperOptions;
  readonly #backoff: Backoff;
  #serving: KeyPair | null = null;
  #issuer = '';
  #stopped = false;
  #cancel: () => void = () => undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#backoff = new Backoff(500, options.intervalMs);
  }

  /** Unix milliseconds at which the serving certificate ends; 0 before there is one. */
  get notAfter(): number {
    return this.#serving?.notAfter ?? 0;
  }

  /** There is a certificate, and it has not expired. */
  get valid(): boolean {
    return this.notAfter > this.#options.clock.unix();
  }

  /** Synchronises now and then again and again until {@link stop}. */
  async run(): Promise<void> {
    const { clock, log, intervalMs } = this.#options;
    let wait = intervalMs;
    try {
      await this.synchronise();
      this.#backoff.reset();
    } catch (error) {
      wait = this.#backoff.next();
      log.error({ err: error, retryMs: Math.round(wait) }, 'certificates could not be synchronised');
    }
    if (!this.#stopped) this.#cancel = clock.after(wait, () => void this.run());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Brings authorities, caBundle and serving certificate to where they should be now. */
  async synchronise(): Promise<void> {
    const { bundle, clock, log } = this.#options;
    const { keep, issuer } = await this.#synchroniseAuthorities();
    if (await bundle.publish(keep.map(({ cert }) => cert).join(''))) {
      log.info({ authorities: keep.length }, 'caBundle published');
    }
    if (issuer === null) throw new Error('no authority is left after synchronisation');
    const now = clock.unix();
    if (this.#serving === null || this.#issuer !== issuer.cert || renewalDue(this.#serving, now)) {
      this.#renew(issuer, now);
    }
  }

  async #synchroniseAuthorities(): Promise<RotationPlan<KeyPair>> {
    const { authorities: store, clock, log, times } = this.#options;
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const { authorities, version } = await store.read();
      const now = clock.unix();
      const plan = planAuthorities(authorities, now, times);
      if (!plan.create && plan.keep.length === authorities.length) return plan;
      const next = plan.create ? [...plan.keep, createAuthority(now, times.authorityLifeMs)] : plan.keep;
      if (await store.write(next, version)) {
        log.info({ authorities: next.length, created: plan.create }, 'authorities written');
        return planAuthorities(next, now, times);
      }
    }
    throw new Error(`other replicas have written the authorities ${MAX_CONFLICTS} times in a row`);
  }

  #renew(issuer: KeyPair, now: number): void {
    const { log, names, onCertificate, times } = this.#options;
    this.#serving = issue(issuer, names, now, times.servingLifeMs);
    this.#issuer = issuer.cert;
    onCertificate(this.#serving);
    log.info(
      { names, notAfter: new Date(this.#serving.notAfter).toISOString() },
      'serving certificate issued',
    );
  }
}
