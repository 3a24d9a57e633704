import { pack } from '../../../api/xds/any.ts';
import { durationOf } from '../../../api/xds/duration.ts';
import type { Listener } from '../../../api/xds/gen/envoy/config/listener/v3/listener.ts';
import { HttpConnectionManager } from '../../../api/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import type { DeepPartial } from '../../../api/xds/gen/google/protobuf/any.ts';
import type { Client } from '../client.ts';
import { corsFilter } from '../cors-wire.ts';
import { overAds, routerFilter } from '../wire.ts';
import { sessionFilter } from './session.ts';

/** Name of Envoy's Listener and of its RouteConfiguration. */
export const outbound = 'outbound';

/** An HTTP proxy at `address`: requests go by their authority. Bodies and paths pass as they are. */
export function outboundListener(address: Client['outbound']): DeepPartial<Listener> {
  const manager = pack(HttpConnectionManager, {
    statPrefix: outbound,
    routeSpecifier: { $case: 'rds', value: { routeConfigName: outbound, configSource: overAds } },
    httpFilters: [corsFilter(), sessionFilter(), routerFilter()],
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    // A stream may be silent for as long as it likes: timeouts are the routes' (Envoy's default is 5 minutes).
    streamIdleTimeout: durationOf(0),
    serverHeaderTransformation: 'PASS_THROUGH',
    preserveExternalRequestId: true,
  });
  return {
    name: outbound,
    trafficDirection: 'OUTBOUND',
    address: {
      address: {
        $case: 'socketAddress',
        value: { address: address.address, portSpecifier: { $case: 'portValue', value: address.port } },
      },
    },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: { $case: 'typedConfig', value: manager },
          },
        ],
      },
    ],
  };
}
