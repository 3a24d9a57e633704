/**
 * Names of the resources that Tulle's control plane serves to Tulle's sidecars. docs/xds.md describes what each holds.
 */

/** Name of the Listener for an outgoing connection: `outbound/<ip or host>:<port>`; IPv6 in brackets. */
export function outboundListener(host: string, port: number): string {
  return host.includes(':') ? `outbound/[${host}]:${port}` : `outbound/${host}:${port}`;
}

/** Name of the Listener that says how a pod's own ports are served. */
export function inboundListener(namespace: string, pod: string): string {
  return `inbound/${namespace}/${pod}`;
}

export type ListenerName =
  | { kind: 'outbound'; host: string; port: number }
  | { kind: 'inbound'; namespace: string; pod: string };

/** Reads the name of a Listener; null if it is none of ours. */
export function parseListener(name: string): ListenerName | null {
  if (name.startsWith('outbound/')) {
    const colon = name.lastIndexOf(':');
    const port = Number(name.slice(colon + 1));
    let host = name.slice('outbound/'.length, colon);
    if (host.startsWith('[') && host.endsWith(']')) host = host.slice(1, -1);
    if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) return null;
    return { kind: 'outbound', host, port };
  }
  const parts = name.split('/');
  if (parts.length !== 3 || parts[0] !== 'inbound' || parts[1] === '' || parts[2] === '') return null;
  return { kind: 'inbound', namespace: parts[1], pod: parts[2] };
}

/** Cluster and ClusterLoadAssignment of one port of a Service. */
export function serviceCluster(namespace: string, service: string, port: number): string {
  return `service/${namespace}/${service}:${port}`;
}

/** Cluster and ClusterLoadAssignment of one port of one pod, for calls to its address. */
export function podCluster(namespace: string, pod: string, port: number): string {
  return `pod/${namespace}/${pod}:${port}`;
}

/**
 * RouteConfiguration of one port of a Service. `consumer` is the client's namespace if it has routes of its own for
 * this Service (GEP-1294 consumer routes), else null.
 */
export function serviceRoutes(
  namespace: string,
  service: string,
  port: number,
  consumer: string | null,
): string {
  const name = `route/${namespace}/${service}:${port}`;
  return consumer === null ? name : `${name}@${consumer}`;
}

/** RouteConfiguration of one port of one pod, for calls to its address: one route, as routes are a Service's. */
export function podRoutes(namespace: string, pod: string, port: number): string {
  return `route/pod/${namespace}/${pod}:${port}`;
}

/** Envoy's name of the filter whose CorsPolicy is in a route's `typed_per_filter_config`. */
export const corsFilterName = 'envoy.filters.http.cors';

/** Key of the `filter_metadata` in which Tulle puts what Envoy's messages have no field for. */
export const metadataKey = 'tulle.dev';
