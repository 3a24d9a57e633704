import { AccessLog, type AccessRecord } from '../../proxy/telemetry/access-log.ts';
import { createLogger } from '../../runtime/log.ts';

/** Keeps what a sidecar says that it has forwarded. */
export class Believed extends AccessLog {
  readonly records: AccessRecord[] = [];

  constructor() {
    super(createLogger('test', 'silent'), 'all');
  }

  override write(record: AccessRecord): void {
    this.records.push(record);
  }
}

/** Whether the request came to its end and went on to the application, as far as the sidecar knows. */
export function isForwarded({ flags, attempts, status, failure }: AccessRecord): boolean {
  return attempts > 0 && status > 0 && failure === '' && flags !== 'DC' && flags !== 'DPE';
}
