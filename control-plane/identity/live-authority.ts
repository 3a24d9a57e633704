import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Authority, createAuthorityFiles, readAuthority } from './authority.ts';
import type { AuthorityStore } from './authority-store.ts';

/** The store is read this often whatever its watch says: a missed event must not end in an outage a year later. */
const REREAD_MS = 10_000;

/** Warn when less than this share of the issuer's life is left. */
const WARN_SHARE = 0.2;

/** The authority in force. What is stored and cannot be used is logged; the last good one stays. */
export class LiveAuthority {
  #current: Authority;
  readonly #store: AuthorityStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listeners = new Set<(authority: Authority) => void>();
  readonly #endWatch: () => void;
  #cancelTimer: () => void = () => {};
  #reading: Promise<void> | null = null;
  #again = false;
  #problem = '';
  #stopped = false;

  /**
   * Reads the authority, and makes it if there is none. Throws if what is stored cannot be used: starting with another
   * one would cut off every sidecar.
   */
  static async open(store: AuthorityStore, clock: Clock, log: Logger): Promise<LiveAuthority> {
    let files = await store.read();
    if (files === null) {
      files = await store.create(createAuthorityFiles(clock.unix()));
      log.info({ store: store.name }, 'certificate authority is in place');
    }
    const result = readAuthority(files, clock.unix());
    if (result.kind === 'problem') {
      throw new Error(`the certificate authority in ${store.name} cannot be used: ${result.problem}`);
    }
    return new LiveAuthority(result.authority, store, clock, log);
  }

  constructor(authority: Authority, store: AuthorityStore, clock: Clock, log: Logger) {
    this.#current = authority;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#endWatch = store.watch?.(() => void this.reload()) ?? (() => {});
    this.#schedule();
  }

  get current(): Authority {
    return this.#current;
  }

  /** Why what is stored is not in force; '' if it is. */
  get problem(): string {
    return this.#problem;
  }

  /** Called after every change; returns what ends it. */
  subscribe(listener: (authority: Authority) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the store now; calls that come meanwhile lead to one more read. Never rejects. */
  reload(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (this.#reading !== null) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  stop(): void {
    this.#stopped = true;
    this.#endWatch();
    this.#cancelTimer();
  }

  #schedule(): void {
    this.#cancelTimer = this.#clock.after(REREAD_MS, () => {
      void this.reload();
      this.#warnOfExpiry();
      this.#schedule();
    });
  }

  async #read(): Promise<void> {
    do {
      this.#again = false;
      try {
        const files = await this.#store.read();
        if (files === null) this.#refuse('it is gone');
        else this.#consider(readAuthority(files, this.#clock.unix()));
      } catch (error) {
        this.#log.warn({ store: this.#store.name, err: error }, 'certificate authority cannot be read');
      }
    } while (this.#again && !this.#stopped);
  }

  #consider(result: ReturnType<typeof readAuthority>): void {
    if (result.kind === 'problem') {
      this.#refuse(result.problem);
      return;
    }
    this.#problem = '';
    if (isSame(result.authority, this.#current)) return;
    this.#current = result.authority;
    const notAfter = new Date(result.authority.notAfter).toISOString();
    this.#log.info(
      { store: this.#store.name, notAfter, roots: result.authority.roots.length },
      'certificate authority changed',
    );
    for (const listener of this.#listeners) listener(this.#current);
  }

  #refuse(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#log.error(
      { store: this.#store.name, problem },
      'certificate authority not taken over; the last one stays',
    );
  }

  #warnOfExpiry(): void {
    const { notBefore, notAfter } = this.#current;
    const left = notAfter - this.#clock.unix();
    if (left > (notAfter - notBefore) * WARN_SHARE) return;
    this.#log.warn(
      { store: this.#store.name, notAfter: new Date(notAfter).toISOString() },
      'certificate authority ends soon; put a new issuer there, with both roots in ca.crt',
    );
  }
}

/** The same issuer, intermediates and roots; the key follows from the issuer. */
function isSame(a: Authority, b: Authority): boolean {
  return (
    a.issuer.publicKey.equals(b.issuer.publicKey) &&
    a.notAfter === b.notAfter &&
    a.bundlePem === b.bundlePem &&
    a.chain.length === b.chain.length &&
    a.chain.every((certificate, index) => certificate.equals(b.chain[index]))
  );
}
