import type { Clock } from '../../runtime/clock.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ConnectionSet } from './downstream-connection.ts';
import type { TcpListener } from './tcp-listener.ts';

/** One direction of the proxy as its owner sees it. */
export interface Stack {
  /** Binds all listeners; rejects if one cannot be bound. */
  listen(): Promise<void>;
  /**
   * Tells every connection that it will end, serves what still comes, and resolves when nothing is open any more, or
   * after `deadlineMs`. Nothing that was accepted is lost before that.
   */
  drain(deadlineMs: number): Promise<void>;
  /** Ends everything at once. */
  close(): void;
  /** Where it listens, in the order of the configuration. */
  readonly addresses: readonly { readonly address: string; readonly port: number }[];
  readonly statistics: { readonly connections: number; readonly upstreamConnections: number };
}

const TICK_MS = 1000;
/** After the last connection has gone, a client may still be on its way here for this long. */
const QUIET_MS = 500;
const DRAIN_CHECK_MS = 50;

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
    async drain(deadlineMs) {
      const deadline = clock.now() + deadlineMs;
      connections.drain();
      await quiet(clock, connections, deadline);
      for (const listener of listeners) listener.close();
    },
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
      return { connections: connections.size, upstreamConnections: upstream.connections };
    },
  };
}

/** Resolves when no connection has been open for a while, or at the deadline. */
function quiet(clock: Clock, connections: ConnectionSet, deadline: number): Promise<void> {
  return new Promise(resolve => {
    let since = clock.now();
    const check = () => {
      const now = clock.now();
      if (connections.size > 0) since = now;
      if (now >= deadline || now - since >= QUIET_MS) resolve();
      else clock.after(DRAIN_CHECK_MS, check);
    };
    check();
  });
}
