import { resourceTypes } from '../../api/xds/any.ts';
import { ClusterLoadAssignment } from '../../api/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { RawClient } from '../../control-plane/xds/raw-client.fixture.ts';

/**
 * Resolves when the control plane at `port` has an endpoint for each of these clusters: who asks before is told of none,
 * and may fail its first calls.
 */
export async function knownEndpoints(port: number, clusters: readonly string[]): Promise<void> {
  const client = new RawClient(port);
  const stream = client.delta();
  const typeUrl = resourceTypes.endpoints;
  const node = { id: 'default/waiting', userAgentName: 'envoy' };
  stream.send({ node, typeUrl, resourceNamesSubscribe: [...clusters] });
  const missing = new Set(clusters);
  while (missing.size > 0) {
    const { nonce, resources } = await stream.next();
    stream.send({ typeUrl, responseNonce: nonce });
    for (const { name, resource } of resources) {
      const { endpoints } = ClusterLoadAssignment.decode(resource?.value ?? new Uint8Array());
      if (endpoints.some(({ lbEndpoints }) => lbEndpoints.length > 0)) missing.delete(name);
    }
  }
  client.close();
}
