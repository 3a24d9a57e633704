import type { Order, State } from './application.ts';
import { Child } from './child.ts';

/** The process of application.ts, from outside. */
export class ApplicationProcess {
  readonly port: number;
  readonly #child: Child<Order>;

  private constructor(child: Child<Order>, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(protocol: 'http' | 'http2'): Promise<ApplicationProcess> {
    const child = new Child<Order>('./application.ts');
    return new ApplicationProcess(child, (await child.ask({ kind: 'start', protocol })) as number);
  }

  state(): Promise<State> {
    return this.#child.ask({ kind: 'state' }) as Promise<State>;
  }

  stop(): void {
    this.#child.stop();
  }
}
