import type { RouteConfiguration } from '../../../api/xds/gen/envoy/config/route/v3/route.ts';
import type { VirtualHost } from '../../../api/xds/gen/envoy/config/route/v3/route_components.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import { key, type Service, type ServicePort } from '../../model/model.ts';
import type { MeshReader } from '../mesh-reader.ts';
import type { Expressed, Omission } from '../omission.ts';
import type { ResolvedRoute } from '../resolved-route.ts';
import { consumerOf, routeSetOf } from '../route-set.ts';
import { authority, serviceNames } from '../service-names.ts';
import { outbound } from './listener.ts';
import { omittedOfConnections, omittedOfRoute } from './not-expressed.ts';
import { writeRoutes } from './routes.ts';

/** One virtual host for each HTTP port of every Service, as a client in `namespace` sees it. */
export function outboundRoutes(reader: MeshReader, namespace: string): Expressed<RouteConfiguration> {
  const omitted: Omission[] = [];
  // Envoy refuses the whole configuration if a domain is there twice: the first Service by name keeps it.
  const taken = new Set<string>();
  const virtualHosts = reader.allServices().flatMap(service =>
    httpPorts(reader, service, namespace, omitted).flatMap(({ port, routes }, index) => {
      const domains = domainsOf(reader, service, port, index === 0, namespace).filter(
        domain => !taken.has(domain),
      );
      for (const domain of domains) taken.add(domain);
      if (domains.length === 0) return [];
      for (const route of routes) omitted.push(...omittedOfRoute(route));
      return [virtualHost(service, port, domains, routes)];
    }),
  );
  return { message: { name: outbound, virtualHosts }, omitted };
}

interface HttpPort {
  readonly port: ServicePort;
  readonly routes: readonly ResolvedRoute[];
}

/** Port 80 first: it is what a name without a port means. Connections that TCPRoutes and TLSRoutes split are not HTTP. */
function httpPorts(reader: MeshReader, service: Service, namespace: string, omitted: Omission[]): HttpPort[] {
  if (service.kind === 'external-name') return [];
  const attached = reader.anyRoutesOf(key(service.namespace, service.name));
  return [...service.ports]
    .sort((a, b) => Number(b.port === 80) - Number(a.port === 80))
    .flatMap(port => {
      const destination = { kind: 'service' as const, service, port };
      const set = routeSetOf(destination, attached, consumerOf(destination, attached, namespace));
      if ('connections' in set) {
        omitted.push(...omittedOfConnections(set));
        return [];
      }
      return port.protocol === 'opaque' ? [] : [{ port, routes: set.routes }];
    });
}

function virtualHost(
  service: Service,
  { port }: ServicePort,
  domains: string[],
  routes: readonly ResolvedRoute[],
): DeepPartial<VirtualHost> {
  return {
    name: `${service.namespace}/${service.name}:${port}`,
    domains,
    routes: routes.flatMap(route => writeRoutes(route, port)),
  };
}

/** `host:port` for every name and address; without the port as well for the Service's first HTTP port. */
function domainsOf(
  reader: MeshReader,
  service: Service,
  { port }: ServicePort,
  isFirst: boolean,
  namespace: string,
): string[] {
  const hosts = [...serviceNames(service, reader.settings.clusterDomain, namespace), ...service.addresses];
  const withPort = hosts.map(host => authority(host, port));
  if (!isFirst) return withPort;
  return [...withPort, ...hosts.map(host => (host.includes(':') ? `[${host}]` : host))];
}
