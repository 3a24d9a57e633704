/**
 * What was learned of ports that do not say who speaks first. A connection on which the client said nothing and the
 * server spoke first is not HTTP, so the next ones on that port need not wait. A port on which HTTP was seen is never
 * taken for one, however long its clients are silent.
 */
export class LearnedProtocols {
  readonly #ports = new Map<string, 'http' | 'server-first'>();
  readonly #max: number;

  /** `max`: ports that are remembered; the oldest is forgotten first. */
  constructor(max = 4096) {
    this.#max = max;
  }

  /** `client`: an address if it matters who connects, because a silent client may also be one whose first bytes are late. */
  isServerFirst(port: string, client = ''): boolean {
    return this.#ports.get(port) !== 'http' && this.#ports.get(keyOf(port, client)) === 'server-first';
  }

  sawHttp(port: string): void {
    if (this.#ports.get(port) !== 'http') this.#set(port, 'http');
  }

  serverSpokeFirst(port: string, client = ''): void {
    const key = keyOf(port, client);
    if (!this.#ports.has(port) && !this.#ports.has(key)) this.#set(key, 'server-first');
  }

  #set(key: string, protocol: 'http' | 'server-first'): void {
    if (!this.#ports.has(key) && this.#ports.size >= this.#max) {
      for (const oldest of this.#ports.keys()) {
        this.#ports.delete(oldest);
        break;
      }
    }
    this.#ports.set(key, protocol);
  }
}

function keyOf(port: string, client: string): string {
  return client === '' ? port : `${port} ${client}`;
}
