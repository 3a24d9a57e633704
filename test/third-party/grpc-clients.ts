/** gRPC's own xDS clients, as processes. */
import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import { ClientProcess } from './client-process.ts';
import { findGoClient } from './go-client.ts';
import { findPython } from './python.ts';
import type { CertificateFiles } from './workload-certificate.ts';

export const clientNames = ['grpcio', 'grpc-js-xds', 'grpc-go'] as const;
export type ClientName = (typeof clientNames)[number];

const here = import.meta.dirname;
const [python, go] = await Promise.all([findPython(), findGoClient()]);

/** The command line of each, or why it cannot be had here. */
const programs: Readonly<Record<ClientName, readonly string[] | { readonly missing: string }>> = {
  grpcio:
    python.kind === 'ready'
      ? [python.python, join(here, 'grpcio-client.py')]
      : { missing: `it cannot be installed: ${python.reason}` },
  'grpc-js-xds': [process.execPath, join(here, 'grpc-js-client.ts')],
  'grpc-go': go.kind === 'ready' ? [go.program] : { missing: `it cannot be built: ${go.reason}` },
};

/** Why a client cannot be had here; null if it can. */
export function missing(name: ClientName): string | null {
  const program = programs[name];
  return 'missing' in program ? program.missing : null;
}

/** @param mode of grpcio-client.py */
export function startClient(
  name: ClientName,
  mode: string,
  targets: readonly string[],
  bootstrap: string,
): ClientProcess {
  const environment = {
    GRPC_XDS_BOOTSTRAP_CONFIG: bootstrap,
    GRPC_VERBOSITY: 'ERROR',
    NODE_NO_WARNINGS: '1',
  };
  const program = programs[name];
  if ('missing' in program) throw new Error(program.missing);
  const [command, ...args] = program;
  return new ClientProcess(command, [...args, mode, ...targets], environment);
}

export function skipIfMissing(context: TestContext, client: ClientName): void {
  const reason = missing(client);
  if (reason === null) return;
  console.warn(`skipped: ${client}: ${reason}`);
  context.skip(reason);
}

/** Takes `count` lines or more that a running client prints. */
export async function linesOf(client: ClientProcess, count: number): Promise<string[]> {
  await expect
    .poll(() => client.lines.length >= count || !client.isRunning, { timeout: 60_000, interval: 20 })
    .toBe(true);
  expect(client.errors).toEqual([]);
  return client.lines.splice(0);
}

/** Asks for mTLS to meshed endpoints (docs/xds.md). */
export const secureMetadata = { 'tulle.dev/security': 'mtls' };

/** @param port of a control plane on 127.0.0.1, without TLS */
export function bootstrapOf(
  port: number,
  metadata: Readonly<Record<string, string>> = {},
  files: CertificateFiles | null = null,
): string {
  return JSON.stringify({
    ...(files === null ? {} : { certificate_providers: { default: fileWatcher(files) } }),
    xds_servers: [
      {
        server_uri: `127.0.0.1:${port}`,
        channel_creds: [{ type: 'insecure' }],
        server_features: ['xds_v3', 'ignore_resource_deletion'],
      },
    ],
    node: { id: 'default/client', cluster: 'test', locality: { zone: 'zone-a' }, metadata },
  });
}

function fileWatcher({ certificate, key, roots }: CertificateFiles): object {
  const files = { certificate_file: certificate, private_key_file: key, ca_certificate_file: roots };
  return { plugin_name: 'file_watcher', config: { ...files, refresh_interval: '60s' } };
}
