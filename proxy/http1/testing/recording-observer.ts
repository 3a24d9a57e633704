import type { Http1Observer } from '../http1-codec.ts';
import type { Refusal } from '../refusal.ts';

export class RecordingObserver implements Http1Observer {
  readonly limits: string[] = [];
  readonly refusals: Refusal[] = [];

  onLimit(name: string): void {
    this.limits.push(name);
  }

  onRefusal(_side: 'server' | 'client', refusal: Refusal): void {
    this.refusals.push(refusal);
  }
}
