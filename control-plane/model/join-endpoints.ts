import type { Endpoint, Key, ServiceEndpoints } from './model.ts';
import type { EndpointSliceRecord } from './records.ts';

/** Of a Service with addresses of both families the endpoints of one are used: that of its first address. */
function family(slices: readonly EndpointSliceRecord[], address: string): 'IPv4' | 'IPv6' {
  const preferred = address.includes(':') ? 'IPv6' : 'IPv4';
  if (slices.some(slice => slice.family === preferred)) return preferred;
  return preferred === 'IPv4' ? 'IPv6' : 'IPv4';
}

/**
 * The slices of a Service as one list for each port. Pods whose named port has different numbers make several entries
 * with one name. An address that is in two slices for a moment is there once, and ready if one of them says so. The order
 * depends on the addresses only, so that equal content is equal.
 */
export function joinEndpoints(
  service: Key,
  slices: readonly EndpointSliceRecord[],
  serviceAddress: string,
): ServiceEndpoints {
  const used = family(slices, serviceAddress);
  const ports = new Map<string, { name: string; port: number; endpoints: Map<string, Endpoint> }>();
  for (const slice of slices) {
    if (slice.family !== used) continue;
    for (const { name, port } of slice.ports) {
      const id = `${name}:${port}`;
      let joined = ports.get(id);
      if (joined === undefined) {
        joined = { name, port, endpoints: new Map() };
        ports.set(id, joined);
      }
      for (const endpoint of slice.endpoints) {
        if (joined.endpoints.get(endpoint.address)?.ready !== true)
          joined.endpoints.set(endpoint.address, endpoint);
      }
    }
  }
  return {
    service,
    ports: [...ports.values()]
      .sort((a, b) => (a.name === b.name ? a.port - b.port : a.name < b.name ? -1 : 1))
      .map(({ name, port, endpoints }) => ({
        name,
        port,
        endpoints: [...endpoints.values()].sort((a, b) => (a.address < b.address ? -1 : 1)),
      })),
  };
}
