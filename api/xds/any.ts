import { Cluster } from './gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from './gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from './gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from './gen/envoy/config/route/v3/route.ts';
import { FilterConfig } from './gen/envoy/config/route/v3/route_components.ts';
import { StdoutAccessLog } from './gen/envoy/extensions/access_loggers/stream/v3/stream.ts';
import { ClusterConfig as AggregateClusterConfig } from './gen/envoy/extensions/clusters/aggregate/v3/cluster.ts';
import { Cors, CorsPolicy } from './gen/envoy/extensions/filters/http/cors/v3/cors.ts';
import { HTTPFault } from './gen/envoy/extensions/filters/http/fault/v3/fault.ts';
import { JwtAuthentication } from './gen/envoy/extensions/filters/http/jwt_authn/v3/config.ts';
import { LocalRateLimit } from './gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.ts';
import { RBAC as HttpRBAC, RBACPerRoute } from './gen/envoy/extensions/filters/http/rbac/v3/rbac.ts';
import { Router } from './gen/envoy/extensions/filters/http/router/v3/router.ts';
import {
  StatefulSession,
  StatefulSessionPerRoute,
} from './gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session.ts';
import { HttpInspector } from './gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector.ts';
import { OriginalDst } from './gen/envoy/extensions/filters/listener/original_dst/v3/original_dst.ts';
import { TlsInspector } from './gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.ts';
import { HttpConnectionManager } from './gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { RBAC as NetworkRBAC } from './gen/envoy/extensions/filters/network/rbac/v3/rbac.ts';
import { TcpProxy } from './gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import { CookieBasedSessionState } from './gen/envoy/extensions/http/stateful_session/cookie/v3/cookie.ts';
import { HeaderBasedSessionState } from './gen/envoy/extensions/http/stateful_session/header/v3/header.ts';
import { LeastRequest } from './gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request.ts';
import { Maglev } from './gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev.ts';
import { PickFirst } from './gen/envoy/extensions/load_balancing_policies/pick_first/v3/pick_first.ts';
import { Random } from './gen/envoy/extensions/load_balancing_policies/random/v3/random.ts';
import { RingHash } from './gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.ts';
import { RoundRobin } from './gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.ts';
import { WrrLocality } from './gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.ts';
import { PreviousHostsPredicate } from './gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts';
import { RawBuffer } from './gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts';
import { Secret } from './gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import {
  DownstreamTlsContext,
  UpstreamTlsContext,
} from './gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { SPIFFECertValidatorConfig } from './gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.ts';
import { HttpProtocolOptions } from './gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import { Resource as DiscoveryResource } from './gen/envoy/service/discovery/v3/discovery.ts';
import { type Any, type DeepPartial, type MessageFns } from './gen/google/protobuf/any.ts';
import { Struct } from './gen/google/protobuf/struct.ts';

/** Encoder and decoder of one message type, as ts-proto generates them. */
export type Codec<T, V extends string = string> = MessageFns<T, V>;

/** Every message that may stand in a google.protobuf.Any of ours; anything else unpacks as `unknown`. */
const packable = [
  Listener,
  RouteConfiguration,
  Cluster,
  ClusterLoadAssignment,
  Secret,
  FilterConfig,
  StdoutAccessLog,
  AggregateClusterConfig,
  Cors,
  CorsPolicy,
  HTTPFault,
  JwtAuthentication,
  LocalRateLimit,
  HttpRBAC,
  RBACPerRoute,
  Router,
  StatefulSession,
  StatefulSessionPerRoute,
  HttpInspector,
  OriginalDst,
  TlsInspector,
  HttpConnectionManager,
  NetworkRBAC,
  TcpProxy,
  CookieBasedSessionState,
  HeaderBasedSessionState,
  LeastRequest,
  Maglev,
  PickFirst,
  Random,
  RingHash,
  RoundRobin,
  WrrLocality,
  PreviousHostsPredicate,
  RawBuffer,
  DownstreamTlsContext,
  SPIFFECertValidatorConfig,
  UpstreamTlsContext,
  HttpProtocolOptions,
  DiscoveryResource,
  Struct,
] as const;

const prefix = 'type.googleapis.com/';

const codecs: ReadonlyMap<string, (typeof packable)[number]> = new Map(
  packable.map(codec => [typeUrl(codec), codec]),
);

/** A decoded message together with its full name, so that `switch (unpacked.type)` narrows `message`. */
export type UnpackedMessage = {
  [C in (typeof packable)[number] as C['$type']]: {
    readonly kind: 'message';
    readonly type: C['$type'];
    readonly message: ReturnType<C['decode']>;
  };
}[(typeof packable)[number]['$type']];

/** Why an Any gave no message; `reason` is a sentence that names the type URL, fit for a NACK. */
export interface Unpackable {
  readonly kind: 'unknown' | 'malformed';
  readonly typeUrl: string;
  readonly reason: string;
}

/** Type URLs of the resources that are served over ADS. */
export const resourceTypes = {
  listener: typeUrl(Listener),
  routes: typeUrl(RouteConfiguration),
  cluster: typeUrl(Cluster),
  endpoints: typeUrl(ClusterLoadAssignment),
  secret: typeUrl(Secret),
} as const;

/** `type.googleapis.com/<full name>`, the key of the message in an Any and in xDS requests. */
export function typeUrl<V extends string>(codec: { readonly $type: V }): `type.googleapis.com/${V}` {
  return `${prefix}${codec.$type}`;
}

/** The codec of a type that `unpack` gave. */
export function packableCodec(type: UnpackedMessage['type']): (typeof packable)[number] {
  return codecs.get(`${prefix}${type}`)!;
}

/** Encodes `message` (fields left out have proto3's defaults) into an Any. */
export function pack<T>(codec: Codec<T>, message: DeepPartial<T>): Any {
  return { typeUrl: typeUrl(codec), value: codec.encode(codec.fromPartial(message)).finish() };
}

/** Decodes an Any of any type of the table. Bytes in the result are views of `any.value`. */
export function unpack(any: Any): UnpackedMessage | Unpackable {
  const codec = codecs.get(any.typeUrl);
  if (codec === undefined) {
    return {
      kind: 'unknown',
      typeUrl: any.typeUrl,
      reason: `Tulle does not know the type "${any.typeUrl}".`,
    };
  }
  const decoded = decode<unknown>(codec, any);
  if (decoded.kind === 'malformed') return decoded;
  return { kind: 'message', type: codec.$type, message: decoded.message } as UnpackedMessage;
}

/** Decodes an Any that must hold one type, for instance a resource of a response for that type. */
export function unpackAs<T>(codec: Codec<T>, any: Any): { kind: 'message'; message: T } | Unpackable {
  if (any.typeUrl !== typeUrl(codec)) {
    const reason = `Expected the type "${typeUrl(codec)}", got "${any.typeUrl}".`;
    return { kind: 'unknown', typeUrl: any.typeUrl, reason };
  }
  return decode(codec, any);
}

type Decoded<T> = { kind: 'message'; message: T } | (Unpackable & { kind: 'malformed' });

function decode<T>(codec: { decode(input: Uint8Array): T }, any: Any): Decoded<T> {
  try {
    return { kind: 'message', message: codec.decode(any.value) };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const reason = `The bytes of "${any.typeUrl}" are not a valid message: ${cause}.`;
    return { kind: 'malformed', typeUrl: any.typeUrl, reason };
  }
}
