import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { Struct } from '../../api/xds/gen/google/protobuf/struct.ts';

/** What is kept of a client's node. Envoy's first request has 60 KB of it, mostly a list of extensions. */
export interface ClientNode {
  readonly id: string;
  readonly userAgent: string;
  readonly zone: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A DiscoveryRequest (state of the world). */
export interface SotwRequest {
  node: ClientNode | null;
  typeUrl: string;
  nonce: string;
  names: string[];
  /** Text of error_detail: the client refused the response; null: it did not. */
  error: string | null;
}

/** A DeltaDiscoveryRequest. */
export interface DeltaRequest {
  node: ClientNode | null;
  typeUrl: string;
  nonce: string;
  subscribe: string[];
  unsubscribe: string[];
  /** `initial_resource_versions`: what the client holds from an earlier stream. */
  initial: Map<string, string>;
  error: string | null;
}

/** Reads a DiscoveryRequest. Throws if the bytes are no message. */
export function readSotwRequest(bytes: Uint8Array): SotwRequest {
  const request: SotwRequest = { node: null, typeUrl: '', nonce: '', names: [], error: null };
  readFields(new BinaryReader(bytes), bytes.length, (field, reader) => {
    switch (field) {
      case 2:
        request.node = readNode(reader);
        return true;
      case 3:
        request.names.push(reader.string());
        return true;
      case 4:
        request.typeUrl = reader.string();
        return true;
      case 5:
        request.nonce = reader.string();
        return true;
      case 6:
        request.error = readStatus(reader);
        return true;
      default:
        return false;
    }
  });
  return request;
}

/** Reads a DeltaDiscoveryRequest. Throws if the bytes are no message. */
export function readDeltaRequest(bytes: Uint8Array): DeltaRequest {
  const request: DeltaRequest = {
    node: null,
    typeUrl: '',
    nonce: '',
    subscribe: [],
    unsubscribe: [],
    initial: new Map(),
    error: null,
  };
  readFields(new BinaryReader(bytes), bytes.length, (field, reader) => {
    switch (field) {
      case 1:
        request.node = readNode(reader);
        return true;
      case 2:
        request.typeUrl = reader.string();
        return true;
      case 3:
        request.subscribe.push(reader.string());
        return true;
      case 4:
        request.unsubscribe.push(reader.string());
        return true;
      case 5:
        readVersion(reader, request.initial);
        return true;
      case 6:
        request.nonce = reader.string();
        return true;
      case 7:
        request.error = readStatus(reader);
        return true;
      default:
        return false;
    }
  });
  return request;
}

/** Calls `read` for each length-delimited field; what it does not take is skipped. */
function readFields(
  reader: BinaryReader,
  end: number,
  read: (field: number, reader: BinaryReader) => boolean,
): void {
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited && read(field, reader)) continue;
    reader.skip(type, field);
  }
}

function readMessage(reader: BinaryReader, read: (field: number, reader: BinaryReader) => boolean): void {
  const end = reader.uint32() + reader.pos;
  readFields(reader, end, read);
}

/** core.v3.Node without user_agent_build_version (8) and extensions (9). */
function readNode(reader: BinaryReader): ClientNode {
  const node = { id: '', userAgent: '', zone: '', metadata: {} as Record<string, unknown> };
  readMessage(reader, (field, reader) => {
    switch (field) {
      case 1:
        node.id = reader.string();
        return true;
      case 3:
        node.metadata = Struct.unwrap(Struct.decode(reader, reader.uint32()));
        return true;
      case 4:
        node.zone = readZone(reader);
        return true;
      case 6:
        node.userAgent = reader.string();
        return true;
      default:
        return false;
    }
  });
  return node;
}

function readZone(reader: BinaryReader): string {
  let zone = '';
  readMessage(reader, (field, reader) => {
    if (field !== 2) return false;
    zone = reader.string();
    return true;
  });
  return zone;
}

/** google.rpc.Status: only its presence and its text mean something, codes differ from client to client. */
function readStatus(reader: BinaryReader): string {
  let message = '';
  readMessage(reader, (field, reader) => {
    if (field !== 2) return false;
    message = reader.string();
    return true;
  });
  return message;
}

function readVersion(reader: BinaryReader, versions: Map<string, string>): void {
  let name = '';
  let version = '';
  readMessage(reader, (field, reader) => {
    if (field === 1) name = reader.string();
    else if (field === 2) version = reader.string();
    else return false;
    return true;
  });
  versions.set(name, version);
}
