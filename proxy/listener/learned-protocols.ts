/**
 * What was learned of ports that do not declare their protocol. A connection on which the client said nothing and the
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

  isServerFirst(port: string): boolean {
    return this.#ports.get(port) === 'server-first';
  }

  sawHttp(port: string): void {
    if (this.#ports.get(port) !== 'http') this.#set(port, 'http');
  }

  serverSpokeFirst(port: string): void {
    if (!this.#ports.has(port)) this.#set(port, 'server-first');
  }

  #set(port: string, protocol: 'http' | 'server-first'): void {
    if (!this.#ports.has(port) && this.#ports.size >= this.#max) {
      for (const oldest of this.#ports.keys()) {
        this.#ports.delete(oldest);
        break;
      }
    }
    this.#ports.set(port, protocol);
  }
}
