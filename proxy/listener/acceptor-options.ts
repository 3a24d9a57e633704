import type { Clock } from '../../runtime/clock.ts';
import type { ProxyLimits } from '../config/proxy-limits.ts';
import type { OwnEdges } from '../exchange/edges.ts';
import type { SpliceContext } from '../exchange/splice.ts';
import type { RequestHandler } from '../exchange/stream.ts';
import type { TimerWheel } from '../exchange/timer-wheel.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { Counter } from '../telemetry/metrics.ts';
import type { PeerFaults } from '../telemetry/peer-faults.ts';
import type { ThrottledLog } from '../telemetry/throttled-log.ts';
import type { ConnectionSet } from './downstream-connection.ts';
import type { LearnedProtocols } from './learned-protocols.ts';
import type { ServerCodecs } from './server-codecs.ts';

/** What connections are taken in with, whichever way they go. */
export interface AcceptorOptions {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: ThrottledLog;
  readonly limits: ProxyLimits;
  readonly faults: PeerFaults;
  readonly accessLog: AccessLog;
  readonly connections: ConnectionSet;
  readonly codecs: ServerCodecs;
  readonly edges: OwnEdges;
  readonly learned: LearnedProtocols;
  readonly splice: SpliceContext;
  /** Makes the exchange of a request. */
  readonly requests: RequestHandler;
  readonly detectTimeoutMs: number;
  /** Connections whose protocol was not found out in that time. */
  readonly undetected: Counter;
}
