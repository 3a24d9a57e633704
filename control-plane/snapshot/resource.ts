import { hash } from 'node:crypto';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type resourceTypes } from '../../api/xds/any.ts';

export type TypeUrl = (typeof resourceTypes)[keyof typeof resourceTypes];

/**
 * One resource as it is sent. It is encoded once; responses are made by putting frames one after the other. Its version is
 * a hash of its content, so that equal content has the same version on every replica and after every restart.
 */
export class Resource {
  readonly name: string;
  readonly version: string;
  readonly #any: Uint8Array;
  #plain: Uint8Array | null = null;
  #versioned: Uint8Array | null = null;

  constructor(type: TypeUrl, name: string, message: Uint8Array) {
    this.name = name;
    this.version = hash('sha256', message, 'base64url').slice(0, 16);
    this.#any = new BinaryWriter().uint32(10).string(type).uint32(18).bytes(message).finish();
  }

  /** `DiscoveryResponse.resources`: tag, length, google.protobuf.Any. */
  get plainFrame(): Uint8Array {
    this.#plain ??= new BinaryWriter().uint32(18).bytes(this.#any).finish();
    return this.#plain;
  }

  /** `DeltaDiscoveryResponse.resources`: tag, length, Resource with name and version. */
  get versionedFrame(): Uint8Array {
    this.#versioned ??= new BinaryWriter()
      .uint32(18)
      .fork()
      .uint32(10)
      .string(this.version)
      .uint32(18)
      .bytes(this.#any)
      .uint32(26)
      .string(this.name)
      .join()
      .finish();
    return this.#versioned;
  }
}
