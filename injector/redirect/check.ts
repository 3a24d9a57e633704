/** Proof that redirection works: a connection to where nobody is must arrive at the outbound port. */
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';

export type CheckResult =
  | { kind: 'redirected' }
  | { kind: 'not-redirected'; reason: string }
  /** Nothing can be said, for this reason. */
  | { kind: 'impossible'; reason: string };

/** Another mesh, or a network plugin that bypasses the kernel's stack, would answer late or never. */
const CHECK_TIMEOUT_MS = 5000;

async function listen(port: number): Promise<Server | null> {
  const server = createServer(socket => socket.end());
  server.listen(port, '0.0.0.0');
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    // The sidecar runs already and listens there.
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}

/** Listens on the outbound port, before the sidecar does, and connects to `target`. */
export async function checkRedirection(
  outboundPort: number,
  target: { address: string; port: number },
): Promise<CheckResult> {
  const server = await listen(outboundPort);
  if (server === null) return { kind: 'impossible', reason: `port ${outboundPort} is in use` };
  const { promise, resolve } = Promise.withResolvers<CheckResult>();
  server.once('connection', () => resolve({ kind: 'redirected' }));
  const socket = connect({ host: target.address, port: target.port, timeout: CHECK_TIMEOUT_MS });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    resolve(
      error.code === 'ENETUNREACH'
        ? { kind: 'impossible', reason: 'the pod has no route to other networks' }
        : { kind: 'not-redirected', reason: error.message },
    );
  });
  socket.once('timeout', () => resolve({ kind: 'not-redirected', reason: 'no answer in time' }));
  const result = await promise;
  socket.destroy();
  server.close();
  return result;
}
