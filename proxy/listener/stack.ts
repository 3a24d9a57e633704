import type { Clock } from '../../runtime/clock.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ConnectionSet } from './downstream-connection.ts';
import type { TcpListener } from './tcp-listener.ts';

/** One direction of the proxy as its owner sees it. */
export interface Stack {
  /** Binds all listeners; rejects if one cannot be bound. */
  listen(): Promise<void>;
  /** Tells every connection that it will end; what still comes is served. */
  drain(): void;
  /** Accepts no more. */
  stopListening(): void;
  /** Ends what is under way with an answer or a code that says so. */
  cutOff(): void;
  /** Ends everything at once. */
  close(): void;
  /** Where it listens, in the order of the configuration. */
  readonly addresses: readonly { readonly address: string; readonly port: number }[];
  readonly statistics: {
    readonly connections: number;
    /** Requests, and connections of bytes, that are under way. */
    readonly active: number;
    readonly upstreamConnections: number;
  };
}

const TICK_MS = 1000;

/** Listeners, their connections and the connections to endpoints behind them. */
export function createStack(
  clock: Clock,
  listeners: readonly TcpListener[],
  connections: ConnectionSet,
  upstream: Upstream,
  onClose: () => void,
): Stack {
  let stopTicking = () => {};
  const tick = () => {
    connections.tick(clock.now(), clock.unix());
    stopTicking = clock.after(TICK_MS, tick);
  };
  return {
    async listen() {
      for (const listener of listeners) await listener.listen();
      tick();
    },
    drain: () => connections.drain(),
    stopListening() {
      for (const listener of listeners) listener.close();
    },
    cutOff: () => connections.cutOff(),
    close() {
      stopTicking();
      for (const listener of listeners) listener.close();
      connections.destroy();
      upstream.close();
      onClose();
    },
    get addresses() {
      return listeners.map(listener => listener.address);
    },
    get statistics() {
      return {
        connections: connections.size,
        active: connections.active,
        upstreamConnections: upstream.connections,
      };
    },
  };
}
