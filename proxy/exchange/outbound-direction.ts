import { outboundListener } from '../../api/xds/names.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Destination, Destinations, Resolution } from '../cluster/destination.ts';
import type { Endpoint } from '../cluster/endpoint.ts';
import { answerEdits, isPreflight, preflightFields } from '../route/cors.ts';
import { matchPreflight } from '../route/match-preflight.ts';
import { matchRoute } from '../route/match-route.ts';
import { pickBackend } from '../route/pick-backend.ts';
import { prepareRequest } from '../route/prepare-request.ts';
import { redirectLocation } from '../route/redirect.ts';
import type { ForwardRoute, RouteTable } from '../route/route-table.ts';
import { findSession, keepSession, sessionOf } from '../route/session.ts';
import type { EdgeSeries } from '../telemetry/edge-series.ts';
import type { HttpTransportKind } from '../upstream/endpoint-pools.ts';
import { type OwnEdges, UNKNOWN_SERVICE } from './edges.ts';
import type { Exchange } from './exchange.ts';
import type { Direction } from './exchange-context.ts';
import type { PassthroughClusters } from './fixed-cluster.ts';
import { sourceField, stripMeshFields, versionField } from './mesh-fields.ts';
import type { FieldLines, ResponseHead } from './stream.ts';

/** What an outgoing connection knows of itself; `ServerConnection.context`. */
export interface OutboundContext {
  /** `address:port` of the client. */
  readonly client: string;
  /** Where the connection was going; '' for a connection to the proxy port, whose requests name their destinations. */
  readonly host: string;
  readonly port: number;
  /** Name of the destination's resource, '' as {@link host}. */
  readonly destination: string;
}

/** A host and port that an authority names; null if it names none. `80` is the default of http. */
export function splitAuthority(authority: string): { host: string; port: number } | null {
  if (authority === '') return null;
  const colon = authority.lastIndexOf(':');
  const hasPort = colon > authority.lastIndexOf(']');
  const host = hasPort ? authority.slice(0, colon) : authority;
  const port = hasPort ? Number(authority.slice(colon + 1)) : 80;
  if (host === '' || !(port >= 1 && port <= 65_535)) return null;
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port };
}

/** For a request of HTTP/1.0 that names no host: HTTP/2 cannot carry one without (RFC 9113 §8.3.1). */
function authorityOf(host: string, port: number): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === 80 ? name : `${name}:${port}`;
}

export interface OutboundDirectionOptions {
  readonly destinations: Destinations;
  readonly edges: OwnEdges;
  readonly passthrough: PassthroughClusters;
  /** The address is one of this proxy's own ports. */
  readonly isOwn: (host: string, port: number) => boolean;
  /** Full name of a host that an application calls in short (explicit mode). */
  readonly expand: (host: string) => string;
  readonly random: () => number;
  /** Bytes of a request body that are kept for another attempt. */
  readonly replayBytes: number;
}

/** Requests that leave the pod: route, backend, endpoint. */
export class OutboundDirection implements Direction {
  readonly name = 'outbound';
  readonly retriesConnections = true;
  readonly replayBytes: number;
  readonly #options: OutboundDirectionOptions;

  constructor(options: OutboundDirectionOptions) {
    this.#options = options;
    this.replayBytes = options.replayBytes;
  }

  direct(exchange: Exchange): void {
    const { head } = exchange;
    stripMeshFields(head.fields);
    const context = exchange.stream.connection.context as OutboundContext;
    const target = context.host === '' ? splitAuthority(head.authority) : context;
    if (target === null) return exchange.fail('NOT_A_DESTINATION');
    if (head.authority === '') head.authority = authorityOf(context.host, context.port);
    const { destinations, expand } = this.#options;
    const name =
      context.destination === '' ? outboundListener(expand(target.host), target.port) : context.destination;
    const resolution = destinations.lookup(name);
    if (resolution !== null) return this.#resolved(exchange, resolution, target.host, target.port);
    destinations.resolve(name, later => this.#resolved(exchange, later, target.host, target.port));
  }

  #resolved(exchange: Exchange, resolution: Resolution, host: string, port: number): void {
    if (exchange.state === 'done') return;
    const { connection } = exchange.stream;
    switch (resolution.kind) {
      case 'found':
        return this.#route(exchange, resolution.destination);
      case 'absent':
        if (this.#options.isOwn(host, port)) return exchange.fail('LOOP');
        // It was there when the connection was opened: a Service that is gone, or has another address. Whoever kept the
        // connection is to look for the name again.
        if ((connection.context as OutboundContext).destination !== '') connection.drain();
        return exchange.forward(this.#options.passthrough.get(host, port), null, null);
      case 'unavailable':
        return exchange.fail('CONFIG_UNAVAILABLE');
    }
  }

  #route(exchange: Exchange, destination: Destination): void {
    exchange.note = destination;
    const { routes, cluster, connections } = destination;
    if (routes !== null) return this.#match(exchange, destination, routes);
    if (cluster !== null) return exchange.forward(cluster, null, null);
    // A request to the proxy port for a port of bytes: it has no ClientHello, and goes where any connection goes.
    const any = connections?.any ?? null;
    if (any === null || destination.protocol === 'tls') return exchange.fail('NO_ROUTE');
    const backend = pickBackend(any, this.#options.random());
    if (backend === null || backend.cluster === null) return exchange.fail('INVALID_BACKEND');
    exchange.forward(backend.cluster, null, null);
  }

  #match(exchange: Exchange, destination: Destination, routes: RouteTable): void {
    const { head } = exchange;
    const preflight = isPreflight(head);
    const route = preflight ? matchPreflight(routes, head) : matchRoute(routes, head);
    if (route === null) return exchange.fail('NO_ROUTE');
    exchange.route = route;
    if (route.cors !== null) {
      if (preflight) return exchange.reply(200, preflightFields(route.cors, head), '');
      exchange.answerEdits = answerEdits(route.cors, head);
    }
    switch (route.kind) {
      case 'forward':
        return this.#forward(exchange, route);
      case 'redirect':
        return exchange.reply(
          route.redirect.status,
          ['location', redirectLocation(route.redirect, head, destination.port)],
          '',
        );
      case 'direct':
        return exchange.reply(route.status, [], route.body);
    }
  }

  #forward(exchange: Exchange, route: ForwardRoute): void {
    const { head } = exchange;
    const session = findSession(route, head, exchange.context.clock);
    const backend = session === null ? pickBackend(route, this.#options.random()) : session.backend;
    if (backend === null || backend.cluster === null) return exchange.fail('INVALID_BACKEND');
    exchange.mirroredHead = prepareRequest(head, route, backend);
    if (session !== null) exchange.stayAt(session.endpoint);
    exchange.forward(backend.cluster, route, backend);
  }

  transport(exchange: Exchange, cluster: Cluster, endpoint: Endpoint): HttpTransportKind {
    // Between sidecars a tunnel has a connection of its own.
    if (endpoint.proxied) return exchange.asksTunnel ? 'http1' : 'http2';
    const { protocol } = cluster.config;
    if (protocol !== 'auto') return protocol;
    return exchange.head.version === 20 ? 'http2' : 'http1';
  }

  appendHopFields(exchange: Exchange, endpoint: Endpoint, fields: FieldLines): void {
    if (!endpoint.proxied) return;
    fields.push(sourceField, this.#options.edges.source);
    if (exchange.head.version !== 20) fields.push(versionField, '1.1');
  }

  /** A client whose session has found its endpoint has what it needs. */
  editResponse(exchange: Exchange, head: ResponseHead): void {
    const { forwardRoute, backend, attempt } = exchange;
    if (forwardRoute === null || backend === null || attempt === null) return;
    const session = sessionOf(forwardRoute, backend);
    if (session === null || attempt.endpoint === exchange.sessionEndpoint) return;
    keepSession(session, backend, attempt.endpoint, head.fields, exchange.context.clock.unix());
  }

  series(exchange: Exchange, endpoint: Endpoint | null): EdgeSeries {
    const destination = exchange.note as Destination | null;
    const service = exchange.cluster?.config.service ?? destination?.service ?? UNKNOWN_SERVICE;
    return this.#options.edges.to(endpoint, service, exchange.grpc ? 'grpc' : 'http');
  }

  peer(_exchange: Exchange, endpoint: Endpoint | null): string {
    return endpoint === null ? '' : endpoint.identity;
  }

  client(exchange: Exchange): string {
    return (exchange.stream.connection.context as OutboundContext).client;
  }
}
