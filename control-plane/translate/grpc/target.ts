import { type Destination, destinationOf } from '../destination.ts';
import type { MeshReader } from '../mesh-reader.ts';
import { fullName } from '../service-names.ts';

/**
 * What `xds:///<target>` stands for, as gRPC asks for a Listener with exactly that name: `<host>:<port>`, where the host is
 * a name of a Service, full or short, or an address.
 */
export function targetOf(reader: MeshReader, target: string, namespace: string): Destination | null {
  const match = /^\[?([^[\]/]+?)\]?:([0-9]{1,5})$/.exec(target);
  if (match === null) return null;
  return destinationOf(
    reader,
    fullName(match[1], reader.settings.clusterDomain, namespace),
    Number(match[2]),
  );
}
