import { Child } from './child.ts';
import type { Order, Usage, VictimOptions, VictimPorts } from './victim.ts';

/** The process of victim.ts, from outside. */
export class VictimProcess {
  readonly ports: VictimPorts;
  readonly #child: Child<Order>;

  private constructor(child: Child<Order>, ports: VictimPorts) {
    this.#child = child;
    this.ports = ports;
  }

  static async start(options: VictimOptions): Promise<VictimProcess> {
    const child = new Child<Order>('./victim.ts');
    return new VictimProcess(child, (await child.ask({ kind: 'start', options })) as VictimPorts);
  }

  connections(): Promise<Usage['connections']> {
    return this.#child.ask({ kind: 'connections' }) as Promise<Usage['connections']>;
  }

  usage(collect = false): Promise<Usage> {
    return this.#child.ask({ kind: 'usage', collect }) as Promise<Usage>;
  }

  async advance(ms: number): Promise<void> {
    await this.#child.ask({ kind: 'advance', ms });
  }

  stop(): void {
    this.#child.stop();
  }
}
