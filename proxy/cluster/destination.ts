/**
 * The border between the xDS client and the data path: what an outgoing connection finds when it asks where to go, and
 * how the pod's own ports are to be served. The xDS client swaps whole values; the data path reads them.
 */
import type { PortProtocol } from '../../api/protocol.ts';
import type { InboundListenerConfig } from '../listener/listener-config.ts';
import type { ConnectionTable } from '../route/connection-table.ts';
import type { RouteTable } from '../route/route-table.ts';
import type { Cluster } from './cluster.ts';
import type { ServiceLabels } from './cluster-config.ts';

/** `tls`: bytes, whose ClientHello says by its server name where they go. */
export type DestinationProtocol = PortProtocol | 'tls';

/** One destination with everything it refers to; replaced as a whole when any of it changes. */
export interface Destination {
  readonly name: string;
  readonly protocol: DestinationProtocol;
  readonly service: ServiceLabels;
  /** Port of the Service, for redirects; 0 where there is none. */
  readonly port: number;
  /** null if the port is opaque. */
  readonly routes: RouteTable | null;
  /** For opaque traffic; null if there is none. */
  readonly cluster: Cluster | null;
  /** Routes of opaque traffic in place of {@link cluster}; null if there are none. */
  readonly connections: ConnectionTable | null;
}

/**
 *  - `found`: as configured.
 *  - `absent`: the control plane says that this address is not in the mesh; bytes pass to the original destination.
 *  - `unavailable`: not known, and the control plane did not answer in time; refuse with CONFIG_UNAVAILABLE.
 */
export type Resolution =
  | { readonly kind: 'found'; readonly destination: Destination }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable' };

export interface Destinations {
  /**
   * Current state of `outbound/<host>:<port>`; null if it is not known yet: then call {@link resolve}. Marks the
   * destination as used, so call it for every request (a long connection must see changed routes at once).
   */
  lookup(name: string): Resolution | null;
  /** Subscribes and calls back once, later in this turn or after: found, absent, or unavailable after the timeout. */
  resolve(name: string, callback: (resolution: Resolution) => void): void;
}

export interface InboundState {
  /** null before the first configuration: nothing is accepted then. */
  readonly current: InboundListenerConfig | null;
}
