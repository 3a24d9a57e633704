/**
 * Sends requests at an even rate from the pod that it runs in, as it is told on the loopback address: `PUT /hosts` with the
 * hosts to call, from then on, which is answered with how many calls have begun; `GET /calls` stops and tells what came of all calls, a line of JSON each.
 */
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { RELAY_PORT } from './relay.ts';
import { openDirectly } from './requests.ts';
import { type Steady, type SteadyAnswer, startSteady } from './steady.ts';

/** Times in ms since 1970, with fractions. */
export interface Called extends SteadyAnswer {
  readonly host: string;
  readonly beganAt: number;
  readonly endedAt: number;
}

const now = (): number => performance.timeOrigin + performance.now();
const below = (limit: number): number => Math.floor(Math.random() * limit);

export function main(argument: string): void {
  const rate = Number(argument);
  const calls: Called[] = [];
  let hosts: string[] = [];
  let load: Steady | null = null;
  const start = (): Steady =>
    startSteady({
      rate,
      open: openDirectly,
      next: () => {
        const host = hosts[below(hosts.length)];
        const call = {
          host,
          method: below(10) === 0 ? 'POST' : 'GET',
          delayMs: below(10) === 0 ? below(400) : 0,
          fresh: below(20) === 0,
        } as const;
        return { call, of: { host, beganAt: now() } };
      },
      ended: (of, answer) => calls.push({ ...of, ...answer, endedAt: now() }),
    });
  const server = createServer((request, response) => {
    if (request.method === 'PUT')
      void json(request).then(given => {
        hosts = given as string[];
        load ??= start();
        response.end(String(load.begun));
      });
    else
      void (load?.stop() ?? Promise.resolve()).then(() =>
        response.end(calls.map(call => JSON.stringify(call)).join('\n')),
      );
  });
  server.listen(RELAY_PORT, '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));
}
