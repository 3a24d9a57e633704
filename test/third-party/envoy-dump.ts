/** What an Envoy holds that came over ADS, by its own account: `/config_dump`. */

export interface HeldResources {
  readonly listeners: readonly string[];
  readonly routes: readonly string[];
  readonly clusters: readonly string[];
  /** `<address>:<port>` of each endpoint, by cluster. */
  readonly endpoints: Readonly<Record<string, readonly string[]>>;
}

interface Assignment {
  cluster_name: string;
  endpoints?: {
    lb_endpoints?: { endpoint: { address: { socket_address: { address: string; port_value: number } } } }[];
  }[];
}

/** A union of the dumps: each has one of these. */
interface Dump {
  dynamic_listeners?: { name: string; active_state?: object }[];
  dynamic_route_configs?: { route_config: { name: string } }[];
  dynamic_active_clusters?: { cluster: { name: string } }[];
  dynamic_endpoint_configs?: { endpoint_config: Assignment }[];
}

/** @param admin base of the admin interface */
export async function resourcesOf(admin: string): Promise<HeldResources> {
  const answer = await fetch(`${admin}/config_dump?include_eds`);
  const { configs } = (await answer.json()) as { configs: Dump[] };
  const active = configs.flatMap(dump => dump.dynamic_listeners ?? []).filter(one => one.active_state);
  const assignments = configs.flatMap(dump => dump.dynamic_endpoint_configs ?? []);
  return {
    listeners: active.map(({ name }) => name),
    routes: configs.flatMap(dump => dump.dynamic_route_configs ?? []).map(one => one.route_config.name),
    clusters: configs.flatMap(dump => dump.dynamic_active_clusters ?? []).map(one => one.cluster.name),
    endpoints: Object.fromEntries(
      assignments.map(({ endpoint_config: of }) => [of.cluster_name, addressesOf(of)]),
    ),
  };
}

function addressesOf({ endpoints = [] }: Assignment): string[] {
  const found = endpoints.flatMap(locality => locality.lb_endpoints ?? []);
  return found.map(({ endpoint }) => {
    const { address, port_value: port } = endpoint.address.socket_address;
    return `${address}:${port}`;
  });
}
