/** gRPC's own xDS clients, as processes. */
import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import { ClientProcess } from './client-process.ts';
import { findPython } from './python.ts';
import type { CertificateFiles } from './workload-certificate.ts';

export const clientNames = ['grpcio', 'grpc-js-xds'] as const;
export type ClientName = (typeof clientNames)[number];

const python = await findPython();

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
  const here = import.meta.dirname;
  if (name === 'grpc-js-xds')
    return new ClientProcess(
      process.execPath,
      [join(here, 'grpc-js-client.ts'), mode, ...targets],
      environment,
    );
  if (python.kind === 'missing') throw new Error(python.reason);
  return new ClientProcess(python.python, [join(here, 'grpcio-client.py'), mode, ...targets], environment);
}

export function skipWithoutPython(context: TestContext, client: ClientName): void {
  if (client !== 'grpcio' || python.kind === 'ready') return;
  console.warn(`skipped: ${client} cannot be installed: ${python.reason}`);
  context.skip(python.reason);
}

/** Takes `count` lines or more that a running client prints. */
export async function linesOf(client: ClientProcess, count: number): Promise<string[]> {
  await expect
    .poll(() => client.lines.length >= count || !client.isRunning, { timeout: 20_000, interval: 20 })
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
