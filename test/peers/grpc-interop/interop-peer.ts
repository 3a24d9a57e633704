/** An official implementation of gRPC's interoperability test (grpc/grpc, doc/interop-test-descriptions.md). */
import type { ChildProcess } from 'node:child_process';
import { connect, createServer } from 'node:net';

export interface InteropPeer {
  readonly language: string;
  /** Cases besides {@link COMMON_CASES} that its client has and its server answers. */
  readonly ownCases: readonly string[];
  startServer(port: number): ChildProcess;
  /** Runs the cases in order against 127.0.0.1:port; the outcome of each is `passed` or what went wrong. */
  runCases(port: number, cases: readonly string[]): Promise<Record<string, string>>;
}

/** What every language's client and server have; authentication and what needs a special server are left out. */
export const COMMON_CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'custom_metadata',
  'status_code_and_message',
  'special_status_message',
  'unimplemented_method',
  'unimplemented_service',
  'cancel_after_begin',
  'cancel_after_first_response',
  'timeout_on_sleeping_server',
  'rpc_soak',
  'channel_soak',
] as const;

/**
 * A port on which nothing listens, for servers that take no port 0. It is none of those that the kernel gives out, so that
 * nobody else takes it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const free = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false));
      server.listen(port, () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** Resolves when something listens on 127.0.0.1:port; rejects if the process that should ends. */
export async function listening(server: ChildProcess, port: number): Promise<void> {
  while (server.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error(`the server ended with ${server.exitCode}`);
}
