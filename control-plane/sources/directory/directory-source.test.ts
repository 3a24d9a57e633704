import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, ManualClock, systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/log.ts';
import type { Mesh } from '../../model/model.ts';
import { RecordStore } from '../../model/store.ts';
import { DirectorySource } from './directory-source.ts';

const log = createLogger('test', 'silent');
let directory: string;
let store: RecordStore;
let source: DirectorySource;

function service(name: string, port = 80): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{port: ${port}, targetPort: web}]}
`;
}

function pod(name: string, app: string, address: string, more = ''): string {
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: {app: ${app}}}
spec: {containers: [{name: app, ports: [{name: web, containerPort: 8080}]}]}
status: {podIP: ${address}${more}}
`;
}

const at = (...parts: string[]): string => join(directory, ...parts);

async function open(
  directories: readonly string[] = [directory],
  clock: Clock = systemClock,
  sourceLog = log,
): Promise<void> {
  store = new RecordStore({
    trustDomain: 'td',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    clock: systemClock,
    log,
  });
  source = new DirectorySource({ directories, writer: store, clock, log: sourceLog });
  await source.start();
}

/** Waits for a state of the mesh; the test's own timeout ends the wait. */
function until(holds: (mesh: Mesh) => boolean): Promise<Mesh> {
  return new Promise(resolve => {
    if (store.current !== null && holds(store.current)) {
      resolve(store.current);
      return;
    }
    const unsubscribe = store.subscribe(mesh => {
      if (!holds(mesh)) return;
      unsubscribe();
      resolve(mesh);
    });
  });
}

/** Waits until the problems are these; there is no event for problems alone. */
async function untilProblems(expected: readonly string[]): Promise<void> {
  await expect
    .poll(() => store.problems().flatMap(({ problems }) => problems), { timeout: 5000, interval: 10 })
    .toEqual(expected);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tulle-directory-'));
});

afterEach(async () => {
  source.stop();
  await rm(directory, { recursive: true, force: true });
});

test('Services and Pods are enough: endpoints follow from selectors', async () => {
  await writeFile(
    at('all.yaml'),
    [
      service('web'),
      pod('a', 'web', '10.1.0.2'),
      pod('b', 'web', '10.1.0.1', ', conditions: [{type: Ready, status: "False"}]'),
      pod('c', 'other', '10.1.0.3'),
      pod('d', 'web', '10.1.0.4', ', phase: Failed'),
    ].join('---\n'),
  );
  await open();
  const mesh = await until(() => true);
  expect(mesh.endpoints.get('shop/web')).toEqual({
    service: 'shop/web',
    ports: [
      {
        name: '',
        port: 8080,
        endpoints: [
          { address: '10.1.0.1', ready: false, pod: 'shop/b', zone: '' },
          { address: '10.1.0.2', ready: true, pod: 'shop/a', zone: '' },
        ],
      },
    ],
  });
  expect(mesh.workloads.get('shop/a')?.services).toEqual(['shop/web']);
});

test('slices that are given are used instead', async () => {
  await writeFile(at('a.yaml'), `${service('web')}---\n${pod('a', 'web', '10.1.0.2')}`);
  await writeFile(
    at('slice.json'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: 's', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
          addressType: 'IPv4',
          ports: [{ name: '', port: 99 }],
          endpoints: [{ addresses: ['10.9.9.9'] }],
        },
      ],
    }),
  );
  await open();
  const mesh = await until(() => true);
  expect(mesh.endpoints.get('shop/web')?.ports.map(({ port }) => port)).toEqual([99]);
});

test('files that are written, renamed over, added in a new folder and deleted change the mesh', async () => {
  await writeFile(at('a.yaml'), service('web'));
  await open();
  await until(mesh => mesh.services.get('shop/web')?.ports[0].port === 80);
  await writeFile(at('a.yaml'), service('web', 81));
  await until(mesh => mesh.services.get('shop/web')?.ports[0].port === 81);
  await writeFile(at('.a.yaml.swp'), service('web', 82));
  await rename(at('.a.yaml.swp'), at('a.yaml'));
  await until(mesh => mesh.services.get('shop/web')?.ports[0].port === 82);
  await mkdir(at('more'));
  await writeFile(at('more', 'b.yml'), service('b'));
  await until(mesh => mesh.services.has('shop/b'));
  await unlink(at('a.yaml'));
  await until(mesh => !mesh.services.has('shop/web'));
});

test('an editor that moves the file away before it writes it deletes nothing', async () => {
  await writeFile(at('a.yaml'), service('web'));
  const lines: string[] = [];
  const clock = new ManualClock();
  await open([directory], clock, createLogger('test', 'debug', { write: line => lines.push(line) }));
  await until(mesh => mesh.services.has('shop/web'));
  const lost: number[] = [];
  store.subscribe(mesh => {
    if (!mesh.services.has('shop/web')) lost.push(mesh.version);
  });
  await rename(at('a.yaml'), at('a.yaml~'));
  await expect.poll(() => lines.filter(line => line.includes('files are changing'))).not.toEqual([]);
  clock.advance(39);
  await writeFile(at('a.yaml'), service('web', 81));
  await expect
    .poll(() => {
      clock.advance(10);
      return store.current?.services.get('shop/web')?.ports[0].port;
    })
    .toBe(81);
  expect(lost).toEqual([]);
});

test('a file that does not parse keeps its last good objects in force and says where it is wrong', async () => {
  await writeFile(at('a.yaml'), service('web'));
  await writeFile(at('b.yaml'), 'kind: [');
  await open();
  await untilProblems([
    `${at('b.yaml')}:1:8: Flow sequence in block collection must be sufficiently indented and end with a ]; correct the YAML (none of its objects is in force)`,
  ]);
  await unlink(at('b.yaml'));
  await writeFile(at('a.yaml'), `${service('web', 81)}---\nmetadata: {name: x}\n`);
  await untilProblems([
    `${at('a.yaml')}:6: kind is missing; use a string, as Kubernetes manifests have it (its last good objects stay in force)`,
  ]);
  expect(store.current?.services.get('shop/web')?.ports[0].port).toBe(80);
  await writeFile(at('a.yaml'), '');
  await untilProblems([
    `${at('a.yaml')} is empty; delete the file if its objects are to go (its last good objects stay in force)`,
  ]);
  expect(store.current?.services.has('shop/web')).toBe(true);
  await writeFile(at('a.yaml'), service('web', 82));
  await until(mesh => mesh.services.get('shop/web')?.ports[0].port === 82);
  await untilProblems([]);
});

test('an object that becomes invalid keeps its last good version, and says in which file it is', async () => {
  await writeFile(at('a.yaml'), `# comment\n${service('web')}`);
  await open();
  await until(mesh => mesh.services.has('shop/web'));
  await writeFile(at('a.yaml'), `# comment\n${service('web', 0)}`);
  await untilProblems([
    'spec.ports[0].port is 0; use an integer from 1 to 65535 (its last good version stays in force)',
  ]);
  expect(store.problems()[0]).toMatchObject({ subject: 'Service/shop/web', location: `${at('a.yaml')}:2` });
  expect(store.current?.services.get('shop/web')?.ports[0].port).toBe(80);
});

test('an object in two files is taken from the first', async () => {
  await writeFile(at('a.yaml'), service('web', 1));
  await writeFile(at('b.yaml'), service('web', 2));
  await open();
  const mesh = await until(() => true);
  expect(mesh.services.get('shop/web')?.ports[0].port).toBe(1);
  await untilProblems([
    `${at('b.yaml')}:1: Service shop/web is defined at ${at('a.yaml')}:1 already, which is used; remove one of them`,
  ]);
  await unlink(at('a.yaml'));
  await until(mesh => mesh.services.get('shop/web')?.ports[0].port === 2);
  await untilProblems([]);
});

test('a folder that is missing is reported and waited for, and nothing goes when it is lost', async () => {
  await writeFile(at('a.yaml'), service('web'));
  await open([directory, at('later')]);
  await untilProblems([
    `directory ${at('later')} of TULLE_DIRECTORIES cannot be read (ENOENT); create it or correct the setting`,
  ]);
  expect(store.current).toBeNull();
  await mkdir(at('later'));
  await writeFile(at('later', 'b.yaml'), service('b'));
  await until(mesh => mesh.services.has('shop/b') && mesh.services.has('shop/web'));
  await rename(at('later'), at('.lost'));
  await untilProblems([
    `directory ${at('later')} of TULLE_DIRECTORIES cannot be read (ENOENT); create it or correct the setting`,
  ]);
  expect(store.current?.services.has('shop/b')).toBe(true);
});

test('a mounted ConfigMap changes by its symbolic link', async () => {
  await mkdir(at('..1'));
  await mkdir(at('..2'));
  await writeFile(at('..1', 'a.yaml'), service('web', 1));
  await writeFile(at('..2', 'a.yaml'), service('web', 2));
  await symlink('..1', at('..data'));
  await symlink('..data/a.yaml', at('a.yaml'));
  await open();
  await until(mesh => mesh.services.get('shop/web')?.ports[0].port === 1);
  await symlink('..2', at('..data_tmp'));
  await rename(at('..data_tmp'), at('..data'));
  await until(mesh => mesh.services.get('shop/web')?.ports[0].port === 2);
});
