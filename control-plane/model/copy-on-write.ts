/** A map that hands out immutable states of itself, and is copied only if it changes after one was handed out. */
export class CopyOnWriteMap<K, V> {
  #map = new Map<K, V>();
  #shared = false;

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    this.#own().set(key, value);
  }

  delete(key: K): boolean {
    return this.#map.has(key) && this.#own().delete(key);
  }

  /** The entries of this moment; never changes afterwards. */
  snapshot(): ReadonlyMap<K, V> {
    this.#shared = true;
    return this.#map;
  }

  #own(): Map<K, V> {
    if (this.#shared) {
      this.#map = new Map(this.#map);
      this.#shared = false;
    }
    return this.#map;
  }
}
