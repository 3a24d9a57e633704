/**
 * Sends the requests that it is given from the pod that it runs in: `POST /` with a list of them in JSON, answered with
 * what came of them. On the loopback address, past every sidecar, for `kubectl port-forward`.
 */
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { openDirectly, type RawRequest, send } from './requests.ts';

export const RELAY_PORT = 8090;

export function main(): void {
  const server = createServer((request, response) => {
    void json(request).then(async requests => {
      response.end(JSON.stringify(await send(requests as RawRequest[], openDirectly)));
    });
  });
  server.listen(RELAY_PORT, '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));
}
