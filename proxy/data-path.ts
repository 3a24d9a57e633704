/** What the inbound and the outbound side share: one of each for the process. Composition only. */
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { InboundState } from './cluster/destination.ts';
import { type ProxyLimits, proxyLimits } from './config/proxy-limits.ts';
import type { BlockPool } from './exchange/block-pool.ts';
import { OwnEdges } from './exchange/edges.ts';
import { TimerWheel } from './exchange/timer-wheel.ts';
import { Http1ClientConnection } from './http1/client-connection.ts';
import { Http1Codec } from './http1/http1-codec.ts';
import { refusalName } from './http1/refusal.ts';
import { Http2ClientConnection } from './http2/client-connection.ts';
import { ENHANCE_YOUR_CALM, errorName } from './http2/error-code.ts';
import type { Http2Observer } from './http2/limits.ts';
import { Http2Workspace } from './http2/workspace.ts';
import type { IdentitySource } from './identity/identity.ts';
import type { ServerCodecs } from './listener/server-codecs.ts';
import type { AccessLog } from './telemetry/access-log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { type FaultyPeer, PeerFaults } from './telemetry/peer-faults.ts';
import { ThrottledLog } from './telemetry/throttled-log.ts';
import { FlushQueue } from './transport/output.ts';
import type { createPeerWatch } from './transport/peer-watch.ts';
import { createSharedReadBuffer } from './transport/read-buffer.ts';
import type { TransportShared } from './transport/socket-transport.ts';
import { BackendTlsVerifiers } from './upstream/backend-tls.ts';
import type { DialContext } from './upstream/dial.ts';
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
  /** Absent: the defaults. */
  readonly limits?: ProxyLimits;
  /** Absent: the kernel decides by itself when a peer is dead. */
  readonly watchPeers?: typeof createPeerWatch;
}

export interface DataPath extends DataPathOptions {
  readonly limits: ProxyLimits;
  readonly transport: TransportShared;
  readonly wheel: TimerWheel;
  readonly serverCodecs: ServerCodecs;
  readonly faults: PeerFaults;
  /** Lines about connections that are refused. */
  readonly refusalLog: ThrottledLog;
  readonly edges: OwnEdges;
  readonly blocks: BlockPool;
  /** New connections to endpoints; each side has its own. `fallback` as in `DialTarget`. */
  upstream(fallback: string): Upstream;
}

export function createDataPath(options: DataPathOptions): DataPath {
  const { clock, metrics, log, identity, inbound, limits = proxyLimits() } = options;
  const wheel = new TimerWheel(clock);
  const now = () => clock.now();
  const faults = new PeerFaults(metrics);
  const refusalLog = new ThrottledLog(log, clock);
  const { silenceTimeoutMs, keepaliveTcpMs: keepaliveMs } = limits.connections;
  const transport: TransportShared = {
    queue: new FlushQueue(),
    readBuffer: createSharedReadBuffer(),
    keepaliveMs,
  };
  const watch = options.watchPeers?.(silenceTimeoutMs, () => faults.limit('silenceTimeoutMs'));
  if (watch !== undefined) transport.watch = watch;
  const http1 = new Http1Codec(
    {
      onLimit: faults.limit,
      onRefusal(side, refusal) {
        faults.protocol('http1', side === 'server' ? 'client' : 'server', refusalName(refusal));
        log.debug({ side, code: refusal.code }, refusal.sentence);
      },
    },
    limits.http1,
  );
  const observer = (peer: FaultyPeer): Http2Observer => ({
    onLimit: faults.limit,
    onFault(code, text, scope) {
      // What ends for a limit of ours is counted as that.
      if (code !== ENHANCE_YOUR_CALM && scope !== 'peer') faults.protocol('http2', peer, errorName(code));
      log.debug({ code, scope }, text);
    },
    onRoundTrip() {},
  });
  const ofServers = observer('server');
  const workspace = new Http2Workspace();
  const clientCodecs: ClientCodecs = {
    http1: (over, owner) => new Http1ClientConnection(http1, over, owner),
    http2: (over, owner, trusted) =>
      new Http2ClientConnection({
        transport: over,
        owner,
        workspace,
        observer: ofServers,
        limits: trusted ? limits.mesh : limits.http2,
        clock: now,
      }),
  };
  const onDistrust: DialContext['onDistrust'] = ({ address, port, identity: expected }, failure, detail) => {
    faults.protocol('tls', 'server', failure);
    const what = failure === 'backend' ? 'no TLS with the application' : 'no mutual TLS';
    refusalLog.warn({ endpoint: `${address}:${port}`, expected, reason: detail }, what);
  };
  return {
    ...options,
    limits,
    transport,
    wheel,
    faults,
    refusalLog,
    serverCodecs: { http1, limits, workspace, observer: observer('client'), clock: now },
    edges: new OwnEdges(metrics, inbound, identity),
    blocks: workspace.blocks,
    upstream: fallback =>
      new Upstream(
        { transport, identity, verifiers: new BackendTlsVerifiers(), wheel, clock, onDistrust },
        clientCodecs,
        fallback,
      ),
  };
}
