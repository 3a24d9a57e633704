/** Listeners as values, decoded from xDS and validated. */
import type { PortProtocol } from '../../api/protocol.ts';
import type { ServiceLabels } from '../cluster/cluster-config.ts';
import type { DestinationProtocol } from '../cluster/destination.ts';
import type { ConnectionRouteConfig } from '../route/connection-table.ts';

/** One destination that the pod calls: `outbound/<host>:<port>`. */
export interface OutboundListenerConfig {
  readonly name: string;
  readonly version: string;
  readonly protocol: DestinationProtocol;
  /** Name of the RouteConfiguration for HTTP; '' if the port is opaque. */
  readonly routes: string;
  /** Name of the cluster for opaque traffic; '' if there is none. */
  readonly cluster: string;
  /** Routes of connections in place of {@link cluster}; null if there are none. */
  readonly connections: readonly ConnectionRouteConfig[] | null;
  readonly service: ServiceLabels;
}

export type MtlsMode = 'permissive' | 'strict';

export interface InboundPortConfig {
  readonly port: number;
  readonly protocol: PortProtocol;
  readonly mtls: MtlsMode;
  /** The Service that has this port as a target port, for metrics. */
  readonly service: ServiceLabels;
}

/** How the pod's own ports are served: `inbound/<namespace>/<pod>`. */
export interface InboundListenerConfig {
  readonly name: string;
  readonly version: string;
  readonly ports: ReadonlyMap<number, InboundPortConfig>;
  /** For ports that no Service declares. */
  readonly otherPorts: { readonly protocol: PortProtocol; readonly mtls: MtlsMode };
  /** Labels of this pod for metrics. */
  readonly workload: import('../cluster/cluster-config.ts').WorkloadLabels;
}
