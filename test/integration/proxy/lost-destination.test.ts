/** A Service that is deleted while clients keep connections to its address: they must not stay there. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:http2';
import { expect, test } from 'vitest';
import { httpApp, onEnd } from './apps.ts';
import { cluster, endpoint, forward, testMesh } from './mesh.ts';

/** A destination at an address at which something else answers, past the mesh, when it is gone. */
async function destination() {
  const mesh = testMesh();
  const inMesh = await httpApp((_request, response) => void response.end('in the mesh'));
  const outside = await httpApp((_request, response) => void response.end('outside'));
  const orders = cluster('orders', [endpoint(inMesh)], { protocol: 'http1' });
  mesh.destinations.set('127.0.0.1', outside, 'detect', [orders], [forward([orders.name])]);
  const listeners = [{ host: '127.0.0.1', targetPort: outside }];
  const { stack } = await mesh.client({ listeners });
  return { port: stack.addresses[1].port, forget: () => mesh.destinations.forget('127.0.0.1', outside) };
}

test('the next answer on a kept connection of HTTP/1.1 closes it', async () => {
  const { port, forget } = await destination();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onEnd(() => agent.destroy());
  const get = async (): Promise<string> => {
    const outgoing = request({ host: '127.0.0.1', port, agent }).end();
    const [response] = await once(outgoing, 'response');
    let body = '';
    for await (const part of response) body += String(part);
    return `${body}, ${response.headers.connection ?? 'kept'}`;
  };
  expect(await get()).toBe('in the mesh, kept');
  expect(await get()).toBe('in the mesh, kept');
  forget();
  expect(await get()).toBe('outside, close');
});

test('a connection of HTTP/2 is told to go away at the next request, which is answered', async () => {
  const { port, forget } = await destination();
  const session = connect(`http://127.0.0.1:${port}`);
  onEnd(() => session.destroy());
  const goaway = once(session, 'goaway');
  const get = async (): Promise<number> => {
    const [head] = await once(session.request().end(), 'response');
    return head[':status'];
  };
  expect(await get()).toBe(200);
  forget();
  const status = get();
  await goaway;
  expect(await status).toBeGreaterThan(0);
});
