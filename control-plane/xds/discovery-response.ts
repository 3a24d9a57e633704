import { hash } from 'node:crypto';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Resource } from '../snapshot/resource.ts';

/** google.rpc.Code NOT_FOUND. */
const NOT_FOUND = 5;

/** Largest response before the rest waits for the next one; clients that use gRPC's default refuse 4 MiB. */
export const maxResponseBytes = 2 * 1024 * 1024;

/** A DeltaDiscoveryResponse out of frames that are encoded already. */
export function deltaResponse(
  typeUrl: string,
  nonce: string,
  resources: readonly Resource[],
  removed: readonly string[],
): Buffer {
  const writer = new BinaryWriter();
  writer.uint32(34).string(typeUrl).uint32(42).string(nonce);
  for (const name of removed) writer.uint32(50).string(name);
  return Buffer.concat([writer.finish(), ...resources.map(resource => resource.versionedFrame)]);
}

/**
 * A DiscoveryResponse out of frames that are encoded already. `missing` are named in resource_errors (A88): a client that
 * knows the field need not wait 15 s for what does not exist.
 */
export function sotwResponse(
  typeUrl: string,
  nonce: string,
  resources: readonly Resource[],
  missing: readonly string[],
): Buffer {
  const writer = new BinaryWriter();
  writer.uint32(10).string(versionOf(resources)).uint32(34).string(typeUrl).uint32(42).string(nonce);
  for (const name of missing) {
    writer.uint32(58).fork();
    writer.uint32(10).fork().uint32(10).string(name).join();
    writer.uint32(18).fork();
    writer.uint32(8).int32(NOT_FOUND).uint32(18).string(`the control plane knows no resource ${name}`);
    writer.join().join();
  }
  return Buffer.concat([writer.finish(), ...resources.map(resource => resource.plainFrame)]);
}

/** Hash of what is in the response. */
export function versionOf(resources: readonly Resource[]): string {
  const content = resources.map(({ name, version }) => `${name}=${version}`).join('\n');
  return hash('sha256', content, 'base64url').slice(0, 16);
}
