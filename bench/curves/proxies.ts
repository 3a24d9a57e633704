/** Requests through a whole proxy, as routes, endpoints and idle connections grow. */
import { type Connection, openHttp1, openMany } from '../idle-connections.ts';
import { generate } from '../load/load.ts';
import { cpuSeconds, privateMemory } from '../process.ts';
import type { Context, Proxy } from '../proxies/proxy.ts';

const CONNECTIONS = 32;
const WARM_SECONDS = 2;
const SECONDS = 3;
/** A sidecar takes 10,000 connections a direction, and some of these carry the load. */
const MOST_CONNECTIONS = 10_000 - 2 * CONNECTIONS;

export type Growing = 'routes' | 'endpoints' | 'idle connections';

export const growing: readonly Growing[] = ['routes', 'endpoints', 'idle connections'];

/** µs of CPU a request, and MiB of private memory at the end of the load. Throws if a request fails. */
export async function measureAt(
  proxy: Proxy,
  of: Growing,
  size: number,
  context: Context,
): Promise<{ cpu: number; memory: number }> {
  const scale = of === 'routes' ? { routes: size } : of === 'endpoints' ? { endpoints: size } : {};
  const { target, pids, stop } = await proxy.start('http1', { ...context, scale });
  const idle: Connection[] = [];
  try {
    if (of === 'idle connections') {
      await openMany(idle, Math.min(size, MOST_CONNECTIONS), () => openHttp1(target));
    }
    // The last of the routes: a list that is gone through has the longest way to it.
    const path = of === 'routes' ? `/service-${size - 1}/items/7` : '/';
    const load = { kind: 'http1', path, connections: CONNECTIONS } as const;
    // Every endpoint gets a connection before it counts.
    await generate(target, load, WARM_SECONDS + (of === 'endpoints' ? Math.ceil(size / 1000) : 0));
    const before = cpuSeconds(pids[0]);
    const { requests, failed } = await generate(target, load, SECONDS);
    if (failed > 0) throw new Error(`${failed} of ${requests} requests failed`);
    return { cpu: ((cpuSeconds(pids[0]) - before) / requests) * 1e6, memory: privateMemory(pids[0]) };
  } finally {
    for (const connection of idle) connection.close();
    await stop();
  }
}
