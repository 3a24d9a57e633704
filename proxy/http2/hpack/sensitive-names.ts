/**
 * Names of fields that are never put into a compression table: an intermediary keeps the sender's
 * never-indexed representation (RFC 7541 §6.2.3), and field lines have no place for that mark, so it is
 * kept per name. One per process.
 */
const ALWAYS = ['authorization', 'proxy-authorization', 'cookie', 'set-cookie'];
/** Bounds what peers can make us remember. Beyond it only the compression of the first names is lost. */
const MOST_NAMES = 64;
const LONGEST_NAME = 64;

export class SensitiveNames {
  /** Grows with each new name: encoders then forget what they have indexed. */
  version = 0;
  readonly #names = new Set<string>(ALWAYS);

  add(name: string): void {
    if (this.#names.has(name) || this.#names.size >= MOST_NAMES || name.length > LONGEST_NAME) return;
    this.#names.add(name);
    this.version++;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}
