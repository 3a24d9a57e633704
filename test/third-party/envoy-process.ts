import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ClientProcess } from './client-process.ts';

export interface Envoy {
  /** Port of the outbound listener. */
  readonly port: number;
  readonly process: ClientProcess;
  /** Base of the admin interface, once it is up. */
  admin(): string | null;
}

/** Starts Envoy with nothing but the way to the control plane. */
export async function startEnvoy(
  binary: string,
  control: number,
  api: 'GRPC' | 'DELTA_GRPC',
  namespace = 'default',
): Promise<Envoy> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'tulle-envoy-'));
  const [config, adminPath] = [join(folder, 'envoy.yaml'), join(folder, 'admin')];
  writeFileSync(config, stringify(bootstrap(control, api, port, namespace)));
  const args = [
    '-c',
    config,
    '--admin-address-path',
    adminPath,
    '--use-dynamic-base-id',
    '--concurrency',
    '1',
  ];
  return {
    port,
    process: new ClientProcess(binary, [...args, '--log-level', 'warning'], {}),
    admin: () => (existsSync(adminPath) ? `http://${readFileSync(adminPath, 'utf8')}` : null),
  };
}

function bootstrap(control: number, api: 'GRPC' | 'DELTA_GRPC', port: number, namespace: string): object {
  const address = (number: number) => ({ socket_address: { address: '127.0.0.1', port_value: number } });
  const overAds = { ads: {}, resource_api_version: 'V3' };
  const options = {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} },
  };
  return {
    node: {
      id: 'envoy-1',
      cluster: 'envoy',
      metadata: { 'tulle.dev/namespace': namespace, 'tulle.dev/outbound-listener': `127.0.0.1:${port}` },
    },
    admin: { address: address(0) },
    dynamic_resources: {
      ads_config: {
        api_type: api,
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: 'tulle' } }],
      },
      cds_config: overAds,
      lds_config: overAds,
    },
    static_resources: {
      clusters: [
        {
          name: 'tulle',
          type: 'STATIC',
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': options,
          },
          load_assignment: {
            cluster_name: 'tulle',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(control) } }] }],
          },
        },
      ],
    },
  };
}

/** For listeners whose port must be known before: one that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
