import {
  type Server,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Registry } from 'prom-client';
import type { WorkloadIdentity } from '../../api/spiffe.ts';
import { AggregatedDiscoveryServiceDefinition } from '../../api/xds/gen/envoy/service/discovery/v3/ads.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { MeshStore } from '../model/model.ts';
import type { OnOmission } from '../snapshot/omission-list.ts';
import { Snapshot } from '../snapshot/snapshot.ts';
import { Applied, type Applying } from './applied.ts';
import { DeltaSubscription } from './delta-subscription.ts';
import {
  type DeltaRequest,
  readDeltaRequest,
  readSotwRequest,
  type SotwRequest,
} from './discovery-request.ts';
import { type DiscoveryProtocol, type DiscoveryRequest, DiscoveryStream } from './discovery-stream.ts';
import { FlushQueue } from './flush-queue.ts';
import { createXdsMetrics } from './metrics.ts';
import { SotwSubscription } from './sotw-subscription.ts';

type Call = ServerDuplexStream<Buffer, Buffer>;

/**
 * Who may open a stream.
 *  - `authenticated`: whoever `identify` knows by its certificate; anyone else gets UNAUTHENTICATED.
 *  - `anonymous`: anyone, believed in what its node says. Only for a listener on loopback.
 */
export type Peers =
  | { readonly kind: 'authenticated'; identify(call: Call): WorkloadIdentity | null }
  | { readonly kind: 'anonymous' };

export interface XdsServices {
  /** Adds the AggregatedDiscoveryService to a server; several servers may share one state. */
  addTo(server: Server, peers: Peers): void;
  /** False until the first complete state of the mesh: do not listen before. */
  readonly isReady: boolean;
  whenReady(callback: () => void): void;
  /**
   * Calls back once when all clients have taken over what the mesh is now, or after a few seconds without those that are
   * silent. To be called when the store has told everyone of the mesh.
   */
  whenApplied(callback: () => void): void;
  /** Open streams. */
  readonly streams: number;
  /** Ends every stream with status OK and stops following the mesh. New streams get UNAVAILABLE. */
  close(): void;
}

export interface XdsOptions {
  readonly store: MeshStore;
  readonly log: Logger;
  readonly clock: Clock;
  /** Where the metrics are registered. */
  readonly metrics: Registry;
  /** Told when what of an object the clients of the moment cannot be told has changed. */
  readonly onOmission?: OnOmission;
}

/** Longest wait for the answers of clients. */
const APPLY_MS = 5000;

const delta: DiscoveryProtocol<DeltaRequest> = {
  name: 'delta',
  read: readDeltaRequest,
  subscription: (typeUrl, names, wasSent) => new DeltaSubscription(typeUrl, names, wasSent),
  size: request => request.subscribe.length,
};

const sotw: DiscoveryProtocol<SotwRequest> = {
  name: 'sotw',
  read: readSotwRequest,
  subscription: (typeUrl, names) => new SotwSubscription(typeUrl, names),
  // The list replaces the names that are held.
  size: request => Math.max(0, request.names.length),
};

/** Messages go through as bytes: requests are read by hand, responses are put together from encoded frames. */
export const aggregatedDiscoveryService = {
  streamAggregatedResources: method('streamAggregatedResources'),
  deltaAggregatedResources: method('deltaAggregatedResources'),
} satisfies ServiceDefinition;

function method(name: keyof typeof AggregatedDiscoveryServiceDefinition.methods) {
  const { fullName, methods } = AggregatedDiscoveryServiceDefinition;
  return {
    path: `/${fullName}/${methods[name].name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  };
}

/** The xDS server of the control plane: follows the store and serves every client that is added to a gRPC server. */
export function createXdsServices(options: XdsOptions): XdsServices {
  const { store, log, clock, metrics: registry, onOmission } = options;
  const snapshot = new Snapshot(store, log, onOmission);
  const metrics = createXdsMetrics(registry, () => snapshot.size);
  const streams = new Set<Applying & { end(): void }>();
  const applied = new Applied(streams, clock, APPLY_MS, log);
  const context = { snapshot, log, clock, metrics, queue: new FlushQueue(), applied };
  let isClosed = false;

  function open<R extends DiscoveryRequest>(call: Call, peers: Peers, protocol: DiscoveryProtocol<R>): void {
    const identity = peers.kind === 'authenticated' ? peers.identify(call) : null;
    if (isClosed) {
      call.emit('error', { code: status.UNAVAILABLE, details: 'the control plane is stopping' });
    } else if (peers.kind === 'authenticated' && identity === null) {
      const details = 'xDS needs a client certificate of the mesh; ask the CertificateService for one';
      call.emit('error', { code: status.UNAUTHENTICATED, details });
    } else {
      const onClose = (stream: DiscoveryStream<R>): void => void streams.delete(stream);
      streams.add(new DiscoveryStream(context, protocol, call, identity, onClose));
    }
  }

  return {
    addTo(server, peers) {
      const handlers: UntypedServiceImplementation = {
        streamAggregatedResources: (call: Call) => open(call, peers, sotw),
        deltaAggregatedResources: (call: Call) => open(call, peers, delta),
      };
      server.addService(aggregatedDiscoveryService, handlers);
    },
    get isReady() {
      return snapshot.isComplete;
    },
    whenReady: callback => snapshot.whenComplete(callback),
    whenApplied: callback => applied.wait(callback),
    get streams() {
      return streams.size;
    },
    close() {
      isClosed = true;
      for (const stream of streams) stream.end();
      snapshot.close();
    },
  };
}
