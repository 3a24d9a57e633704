/** The control plane as a process: from manifests to ADS, readiness, problems, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { resourceTypes } from '../../api/xds/any.ts';
import { RouteConfiguration } from '../../api/xds/gen/envoy/config/route/v3/route.ts';
import { RawClient } from '../../control-plane/xds/raw-client.fixture.ts';

const root = join(import.meta.dirname, '../..');
let directory: string;
let child: ChildProcess | undefined;
let output = '';

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

interface Ports {
  port: number;
  admin: number;
  plaintext: number;
}

async function start(settings: Readonly<Record<string, string>>): Promise<Ports> {
  const [port, admin, plaintext] = [await freePort(), await freePort(), await freePort()];
  output = '';
  child = spawn(process.execPath, ['cli/tulle.ts', 'control-plane'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TULLE_LISTEN_ADDRESS: '127.0.0.1',
      TULLE_PORT: String(port),
      TULLE_ADMIN_PORT: String(admin),
      TULLE_PLAINTEXT_PORT: String(plaintext),
      ...settings,
    },
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return { port, admin, plaintext };
}

const directoryMode = () => ({
  TULLE_SOURCE: 'directory',
  TULLE_DIRECTORIES: join(directory, 'mesh'),
  TULLE_CA_DIRECTORY: join(directory, 'ca'),
  TULLE_WORKLOAD_TOKENS: join(directory, 'tokens.json'),
});

async function ask(port: number, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

const ready = ({ admin }: Ports): Promise<unknown> =>
  vi.waitFor(async () => expect((await ask(admin, '/ready')).status).toBe(200), {
    timeout: 20_000,
    interval: 50,
  });

function mesh(weight: number): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80, name: http}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: web}]
  rules: [{backendRefs: [{name: web, port: 80, weight: ${weight}}, {name: gone, port: 80, weight: 1}]}]`;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tulle-control-plane-'));
  await mkdir(join(directory, 'mesh'));
  await writeFile(join(directory, 'tokens.json'), '[]');
});

afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  await rm(directory, { recursive: true, force: true });
});

test('manifests are served over ADS, edits arrive, and SIGTERM ends the streams with OK', async () => {
  await writeFile(join(directory, 'mesh', 'a.yaml'), mesh(9));
  const ports = await start(directoryMode());
  await ready(ports);
  const client = new RawClient(ports.plaintext);
  const stream = client.delta();
  const typeUrl = resourceTypes.routes;
  stream.send({
    node: { id: 'shop/client', userAgentName: 'tulle' },
    typeUrl,
    resourceNamesSubscribe: ['route/shop/web:80'],
  });
  const weights = async (): Promise<(readonly [string, number | undefined])[]> => {
    const { nonce, resources } = await stream.next();
    stream.send({ typeUrl, responseNonce: nonce });
    const { value = new Uint8Array() } = resources[0].resource ?? {};
    const { virtualHosts } = RouteConfiguration.decode(value);
    const { action } = virtualHosts[0].routes[0];
    const specifier = action?.$case === 'route' ? action.value.clusterSpecifier : undefined;
    const clusters = specifier?.$case === 'weightedClusters' ? specifier.value.clusters : [];
    return clusters.map(({ name, weight }) => [name, weight] as const);
  };
  expect(await weights()).toEqual([
    ['service/shop/web:80', 9],
    ['', 1],
  ]);
  await writeFile(join(directory, 'mesh', 'a.yaml'), mesh(3));
  expect(await weights()).toEqual([
    ['service/shop/web:80', 3],
    ['', 1],
  ]);

  expect(JSON.parse((await ask(ports.admin, '/problems')).text)).toEqual([
    {
      subject: 'HTTPRoute/shop/r',
      location: `${join(directory, 'mesh', 'a.yaml')}:7`,
      problems: [
        'spec.rules[0].backendRefs[1] refers to Service shop/gone, which does not exist; create it or correct the name',
      ],
    },
  ]);
  const metrics = (await ask(ports.admin, '/metrics')).text;
  expect(metrics).toContain('tulle_configuration_problems 1\n');
  expect(metrics).toContain('tulle_mesh_objects{kind="service"} 1\n');
  expect((await ask(ports.admin, '/nothing')).text).toBe(
    'there are /live, /ready, /metrics, /problems, /in-force\n',
  );

  child?.kill('SIGTERM');
  expect((await stream.ended()).code).toBe(0);
  client.close();
  const [code] = (await once(child as ChildProcess, 'exit')) as [number];
  expect(code).toBe(0);
});

test('clients cannot connect before the mesh is complete', async () => {
  const settings = directoryMode();
  const ports = await start({ ...settings, TULLE_DIRECTORIES: join(directory, 'later') });
  await vi.waitFor(async () => expect((await ask(ports.admin, '/ready')).status).toBe(503), {
    timeout: 20_000,
    interval: 50,
  });
  expect((await ask(ports.admin, '/ready')).text).toMatch(
    /^waiting for the first complete state of the mesh, the list of Service, /,
  );
  expect((await ask(ports.admin, '/live')).status).toBe(200);
  await expect(fetch(`http://127.0.0.1:${ports.plaintext}/`)).rejects.toThrow();
  await mkdir(join(directory, 'later'));
  await ready(ports);
});

test('settings that are wrong are told all at once', async () => {
  await start({ TULLE_SOURCE: 'directory', TULLE_DEFAULT_MTLS: 'maybe', TULLE_PORT: '0' });
  const [code] = (await once(child as ChildProcess, 'exit')) as [number];
  expect(code).toBe(1);
  expect(output).toContain('TULLE_DEFAULT_MTLS is "maybe"; use one of permissive, strict');
  expect(output).toContain('TULLE_PORT is "0"; use an integer from 1 to 65535');
});
