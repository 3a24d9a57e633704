import type { Codec } from '../../api/xds/any.ts';
import type { DeepPartial } from '../../api/xds/gen/google/protobuf/any.ts';
import type { Client } from './client.ts';
import type { EndpointFrames } from './endpoint-frames.ts';
import type { MeshReader } from './mesh-reader.ts';
import type { Expressed, Omission } from './omission.ts';

/** Types of resources that are translated. */
export type ResourceKind = 'listener' | 'routes' | 'cluster' | 'endpoints';

/** A resource as it is sent. */
export interface Written {
  /** The encoded message, or null if there is no such resource. */
  readonly bytes: Uint8Array | null;
  /** What the mesh says and the dialect cannot. */
  readonly omitted: readonly Omission[];
}

/** Writes the resources of one dialect. Pure: the same mesh, name and scope give the same bytes. */
export interface DialectWriter {
  write(
    reader: MeshReader,
    frames: EndpointFrames,
    kind: ResourceKind,
    name: string,
    client: Client,
  ): Written;
  /** What of the client the resource depends on besides its name: clients with equal scopes share its bytes. */
  scope(kind: ResourceKind, client: Client): string;
  /** Names that a wildcard subscription stands for. */
  names(reader: MeshReader, kind: ResourceKind, client: Client): string[];
}

export function encode<T>(codec: Codec<T>, message: DeepPartial<T> | null): Uint8Array | null {
  return message === null ? null : codec.encode(codec.fromPartial(message)).finish();
}

/** Bytes that lack nothing. */
export function complete(bytes: Uint8Array | null): Written {
  return { bytes, omitted: [] };
}

export function written<T>(codec: Codec<T>, { message, omitted }: Expressed<T>): Written {
  return { bytes: encode(codec, message), omitted };
}
