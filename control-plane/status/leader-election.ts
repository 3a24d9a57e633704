/**
 * One of several replicas leads, by a Lease (coordination.k8s.io/v1). A candidate takes over when the Lease has not
 * changed for the time that its holder promised, measured by the candidate's own clock: clocks of machines are not
 * compared. A leader that cannot renew in time, or finds that another has written, stops leading at once.
 */
import type { Clock } from '../../runtime/clock.ts';
import { type ApiClient, ApiError, orAbsent } from '../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../runtime/log.ts';

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

interface Lease {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec?: LeaseSpec;
}

export interface LeaderElectionOptions {
  readonly api: Pick<ApiClient, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Of this process among all; never used again by another. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told at once, and only when it changes. */
  readonly onChange: (leading: boolean) => void;
  /** Milliseconds after which others may take over. Default 15000. */
  readonly leaseMs?: number;
  /** Milliseconds without a renewal after which this one stops leading; less than `leaseMs`. Default 10000. */
  readonly renewMs?: number;
  /** Milliseconds between tries. Default 2000. */
  readonly retryMs?: number;
}

export class LeaderElection {
  readonly #options: Required<LeaderElectionOptions>;
  readonly #collection: string;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #cancelTry: () => void = () => {};
  #cancelDeadline: () => void = () => {};
  #leading = false;
  /** Clock time at which leading ends without another renewal. */
  #deadline = 0;
  /** Only the first failure of several is a warning. */
  #failing = false;
  /** The version that was seen last, and when it was first seen. */
  #observed = { version: '', at: 0 };

  constructor(options: LeaderElectionOptions) {
    this.#options = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2000, ...options };
    this.#collection = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  }

  /** Whether this process leads now: false also when its timer is late. */
  get leading(): boolean {
    return this.#leading && this.#options.clock.now() < this.#deadline;
  }

  start(): void {
    this.#running = this.#try();
  }

  /** Gives the Lease up, so that another need not wait for its end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTry();
    await this.#running;
    if (!this.leading) return;
    this.#lead(false);
    await this.#release().catch((error: unknown) =>
      this.#options.log.warn({ err: error }, 'lease not given up; it ends by itself'),
    );
  }

  async #try(): Promise<void> {
    // A renewal counts from before it was sent: the others count from when they saw it, which is later.
    const began = this.#options.clock.now();
    try {
      if (await this.#acquire()) {
        this.#extend(began);
        this.#lead(this.#options.clock.now() < this.#deadline);
      } else this.#lead(false);
      this.#failing = false;
    } catch (error) {
      this.#options.log[this.#failing ? 'debug' : 'warn'](
        { err: error },
        'lease not read or written; it is tried again',
      );
      this.#failing = true;
      // Another has written what we wanted to: whoever it was, it was not us.
      if (error instanceof ApiError && error.status === 409) this.#lead(false);
    }
    if (this.#stopped) return;
    this.#cancelTry = this.#options.clock.after(this.#options.retryMs, () => {
      this.#running = this.#try();
    });
  }

  /** Answers whether the Lease is ours after this. */
  async #acquire(): Promise<boolean> {
    const { api, name, identity, clock } = this.#options;
    const held = await this.#read();
    const spec = this.#spec();
    if (held === null) {
      const acquired = { ...spec, acquireTime: spec.renewTime, leaseTransitions: 0 };
      await api.create(this.#collection, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name },
        spec: acquired,
      });
      return true;
    }
    const { holderIdentity = '', leaseDurationSeconds, leaseTransitions = 0 } = held.spec ?? {};
    if (holderIdentity === identity) {
      await api.replace(`${this.#collection}/${name}`, { ...held, spec: { ...held.spec, ...spec } });
      return true;
    }
    const version = held.metadata.resourceVersion ?? '';
    if (version !== this.#observed.version) this.#observed = { version, at: clock.now() };
    const promisedMs = (leaseDurationSeconds ?? this.#options.leaseMs / 1000) * 1000;
    if (holderIdentity !== '' && clock.now() < this.#observed.at + promisedMs) return false;
    const taken = { ...spec, acquireTime: spec.renewTime, leaseTransitions: leaseTransitions + 1 };
    await api.replace(`${this.#collection}/${name}`, { ...held, spec: taken });
    return true;
  }

  async #read(): Promise<Lease | null> {
    const { api, name, clock, renewMs } = this.#options;
    const late = new AbortController();
    // Early enough that one more try fits into the time for renewal.
    const cancel = clock.after(renewMs / 2, () => late.abort());
    return api.get<Lease>(`${this.#collection}/${name}`, late.signal).catch(orAbsent).finally(cancel);
  }

  async #release(): Promise<void> {
    const { api, name, identity } = this.#options;
    const held = await this.#read();
    if (held?.spec?.holderIdentity !== identity) return;
    const spec = { ...held.spec, ...this.#spec(), holderIdentity: '', leaseDurationSeconds: 1 };
    await api.replace(`${this.#collection}/${name}`, { ...held, spec });
  }

  #spec(): LeaseSpec & { renewTime: string } {
    const { identity, leaseMs, clock } = this.#options;
    // MicroTime (meta/v1).
    const renewTime = new Date(clock.unix()).toISOString().replace('Z', '000Z');
    return { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1000), renewTime };
  }

  #extend(began: number): void {
    const { clock, renewMs } = this.#options;
    this.#cancelDeadline();
    this.#deadline = began + renewMs;
    this.#cancelDeadline = clock.after(this.#deadline - clock.now(), () => this.#lead(false));
  }

  #lead(leading: boolean): void {
    if (!leading) this.#cancelDeadline();
    if (this.#leading === leading) return;
    this.#leading = leading;
    const { log, identity, onChange } = this.#options;
    log.info({ identity }, leading ? 'this replica leads' : 'this replica leads no longer');
    onChange(leading);
  }
}
