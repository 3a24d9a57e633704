import type { InboundState } from '../cluster/destination.ts';
import { UNKNOWN_SERVICE } from '../exchange/edges.ts';
import { DownstreamConnection } from './downstream-connection.ts';
import { type Application, InboundConnection, type InboundConnectionOptions } from './inbound-connection.ts';
import type { InboundListenerConfig, InboundPortConfig } from './listener-config.ts';
import type { Accepted } from './tcp-listener.ts';

export interface InboundAcceptorOptions extends InboundConnectionOptions {
  readonly inbound: InboundState;
}

/** Takes in the connections that reach the pod, or refuses them at the door. */
export class InboundAcceptor {
  readonly #options: InboundAcceptorOptions;

  constructor(options: InboundAcceptorOptions) {
    this.#options = options;
  }

  accept(accepted: Accepted, application: Application): void {
    const { connections, inbound, log, faults } = this.#options;
    const { transport, remoteAddress, remotePort } = accepted;
    const configuration = inbound.current;
    if (configuration === null || connections.full) {
      const reason = configuration === null ? 'no configuration yet' : 'too many connections';
      if (configuration !== null) faults.limit('maxConnections');
      log.warn({ client: remoteAddress, port: application.port }, `refused: ${reason}`);
      transport.destroy();
      return;
    }
    const connection = new DownstreamConnection(connections, transport, `${remoteAddress}:${remotePort}`);
    transport.user = connection;
    new InboundConnection(
      this.#options,
      connection,
      transport,
      application,
      portOf(configuration, application.port),
    ).start();
  }
}

function portOf(configuration: InboundListenerConfig, port: number): InboundPortConfig {
  const { protocol, mtls } = configuration.otherPorts;
  return configuration.ports.get(port) ?? { port, protocol, mtls, service: UNKNOWN_SERVICE };
}
