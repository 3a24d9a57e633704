/** What the inbound and the outbound side share: one of each for the process. Composition only. */
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { InboundState } from './cluster/destination.ts';
import { BlockPool } from './exchange/block-pool.ts';
import { OwnEdges } from './exchange/edges.ts';
import { TimerWheel } from './exchange/timer-wheel.ts';
import { Http1ClientConnection } from './http1/client-connection.ts';
import { Http1Codec } from './http1/http1-codec.ts';
import { Http2ClientConnection } from './http2/client-connection.ts';
import { type Http2Observer, TRUSTED_LIMITS, UNTRUSTED_LIMITS } from './http2/limits.ts';
import { Http2Workspace } from './http2/workspace.ts';
import type { IdentitySource } from './identity/identity.ts';
import type { ServerCodecs } from './listener/server-codecs.ts';
import type { AccessLog } from './telemetry/access-log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { FlushQueue } from './transport/output.ts';
import { createSharedReadBuffer } from './transport/read-buffer.ts';
import type { TransportShared } from './transport/socket-transport.ts';
import type { ClientCodecs } from './upstream/pool-context.ts';
import { Upstream } from './upstream/upstream.ts';

export interface DataPathOptions {
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly accessLog: AccessLog;
  readonly identity: IdentitySource;
  /** How the pod's own ports are served; also where the pod's own labels come from. */
  readonly inbound: InboundState;
}

export interface DataPath extends DataPathOptions {
  readonly transport: TransportShared;
  readonly wheel: TimerWheel;
  readonly serverCodecs: ServerCodecs;
  readonly edges: OwnEdges;
  readonly blocks: BlockPool;
  /** New connections to endpoints; each side has its own. `fallback` as in `DialTarget`. */
  upstream(fallback: string): Upstream;
}

export function createDataPath(options: DataPathOptions): DataPath {
  const { clock, metrics, log, identity, inbound } = options;
  const transport: TransportShared = { queue: new FlushQueue(), readBuffer: createSharedReadBuffer() };
  const wheel = new TimerWheel(clock);
  const now = () => clock.now();
  const onLimit = (limit: string) => {
    metrics.counter('limits', { limit }).value++;
  };
  const http1 = new Http1Codec({
    onLimit,
    onRefusal: (side, refusal) => log.debug({ side, status: refusal.status }, refusal.sentence),
  });
  const observer: Http2Observer = {
    onLimit,
    onFault: (code, text, scope) => log.debug({ code, scope }, text),
    onRoundTrip() {},
  };
  const workspace = new Http2Workspace();
  const clientCodecs: ClientCodecs = {
    http1: (over, owner) => new Http1ClientConnection(http1, over, owner),
    http2: (over, owner, trusted) =>
      new Http2ClientConnection({
        transport: over,
        owner,
        workspace,
        observer,
        limits: trusted ? TRUSTED_LIMITS : UNTRUSTED_LIMITS,
        clock: now,
      }),
  };
  return {
    ...options,
    transport,
    wheel,
    serverCodecs: { http1, workspace, observer, clock: now },
    edges: new OwnEdges(metrics, inbound, identity),
    blocks: new BlockPool(),
    upstream: fallback => new Upstream({ transport, identity, wheel, clock }, clientCodecs, fallback),
  };
}
