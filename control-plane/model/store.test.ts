import { expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import type { Mesh, MeshChange, Route, Service } from './model.ts';
import { type PodRecord, type PolicyRecord, recordKinds } from './records.ts';
import { RecordStore } from './store.ts';

function start(): {
  clock: ManualClock;
  store: RecordStore;
  states: { mesh: Mesh; change: MeshChange }[];
  sync: () => void;
} {
  const clock = new ManualClock();
  const log = createLogger('test', 'silent');
  const store = new RecordStore({
    trustDomain: 'td',
    clusterDomain: 'cluster.local',
    defaultMtls: 'permissive',
    clock,
    log,
  });
  const states: { mesh: Mesh; change: MeshChange }[] = [];
  store.subscribe((mesh, change) => states.push({ mesh, change }));
  const sync = (): void => {
    for (const kind of recordKinds) store.synced(kind);
    clock.advance(1000);
    states.length = 0;
  };
  return { clock, store, states, sync };
}

function service(name: string, port = 80): Service {
  return {
    namespace: 'shop',
    name,
    uid: name,
    kind: 'cluster-ip',
    addresses: ['10.0.0.1'],
    ports: [{ port, name: 'p', targetPort: 8080, protocol: 'detect', clientTls: false, backendTls: null }],
    preferClose: false,
    clientAffinity: false,
    externalName: '',
    policy: null,
  };
}

function pod(name: string): PodRecord {
  return {
    namespace: 'shop',
    name,
    uid: name,
    addresses: ['10.1.0.1'],
    serviceAccount: 'default',
    meshed: true,
    owner: name,
    app: '',
    version: '',
    canonicalService: name,
    canonicalRevision: 'latest',
    node: 'n1',
    zone: '',
    opaquePorts: null,
    mtls: '',
    namedPorts: new Map(),
  };
}

function route(name: string, parent: string, backend: string, kind: Route['kind'] = 'HTTPRoute'): Route {
  return {
    kind,
    namespace: 'shop',
    name,
    uid: name,
    generation: 1,
    created: 0,
    parents: [{ namespace: 'shop', name: parent, port: 0, sectionName: '' }],
    rules: [
      {
        name: '',
        matches: [{ path: { kind: 'prefix', value: '/' }, method: '', headers: [], query: [] }],
        action: {
          kind: 'forward',
          backends: [
            {
              service: { namespace: 'shop', name: backend, port: 80 },
              problem: '',
              weight: 1,
              requestFields: null,
              responseFields: null,
              policy: null,
            },
          ],
          pathRewrite: null,
          hostRewrite: '',
          mirrors: [],
        },
        requestFields: null,
        responseFields: null,
        timeoutMs: 0,
        backendTimeoutMs: 0,
        retry: null,
        cors: null,
        session: null,
      },
    ],
    problems: [],
    faults: [],
    hostnames: null,
  };
}

const slice = (pods: readonly string[]) => ({
  service: 'shop/web',
  family: 'IPv4' as const,
  ports: [{ name: 'p', port: 8080 }],
  endpoints: pods.map((name, index) => ({
    address: `10.1.0.${index + 1}`,
    ready: true,
    pod: `shop/${name}`,
    zone: '',
  })),
});

test('no state is delivered before every kind has its first list', () => {
  const { clock, store, states } = start();
  store.put('Service', 'shop/web', service('web'), [], '');
  for (const kind of recordKinds.slice(1)) store.synced(kind);
  clock.advance(10_000);
  expect(states).toEqual([]);
  expect(store.waiting()).toEqual([recordKinds[0]]);
  store.synced(recordKinds[0]);
  clock.advance(10);
  expect(states).toHaveLength(1);
  expect(store.current?.services.has('shop/web')).toBe(true);
});

test('an empty mesh is a state as well', () => {
  const { clock, store, states } = start();
  for (const kind of recordKinds) store.synced(kind);
  clock.advance(10);
  expect(states).toHaveLength(1);
  expect(store.current?.services.size).toBe(0);
});

test('changes are delivered together once it is quiet, and at the latest after the longest delay', () => {
  const { clock, store, states, sync } = start();
  sync();
  store.put('Service', 'shop/a', service('a'), [], '');
  clock.advance(3);
  store.put('Service', 'shop/b', service('b'), [], '');
  clock.advance(4);
  expect(states).toHaveLength(0);
  clock.advance(1);
  expect(states.map(({ change }) => [...change.services])).toEqual([['shop/a', 'shop/b']]);

  states.length = 0;
  for (let i = 0; i < 40; i++) {
    store.put('Service', 'shop/a', service('a', i + 1), [], '');
    clock.advance(4);
  }
  expect(states).toHaveLength(1);
});

test('what comes out equal is no change', () => {
  const { clock, store, states, sync } = start();
  store.put('Service', 'shop/web', service('web'), [], '');
  sync();
  const before = store.current?.services;
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('Node', 'n9', { zone: 'a' }, [], '');
  clock.advance(100);
  expect(states).toEqual([]);
  expect(store.current?.services).toBe(before);
});

test('a delivered state never changes, and unchanged parts are shared', () => {
  const { clock, store, sync } = start();
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('Pod', 'shop/p', pod('p'), [], '');
  sync();
  const before = store.current as Mesh;
  store.remove('Service', 'shop/web');
  clock.advance(10);
  expect(before.services.has('shop/web')).toBe(true);
  expect(store.current?.services.has('shop/web')).toBe(false);
  expect(store.current?.workloads).toBe(before.workloads);
  expect(store.current?.version).toBe(before.version + 1);
});

test('a pod inherits from its namespace and node, whichever comes first', () => {
  const { clock, store, states, sync } = start();
  store.put('Pod', 'shop/p', pod('p'), [], '');
  sync();
  store.put('Namespace', 'shop', { mtls: 'strict', opaquePorts: [25], inject: true }, [], '');
  store.put('Node', 'n1', { zone: 'z1' }, [], '');
  clock.advance(10);
  expect(store.current?.workloads.get('shop/p')).toMatchObject({
    mtls: 'strict',
    opaquePorts: [25],
    zone: 'z1',
  });
  expect([...states[0].change.workloads]).toEqual(['shop/p']);
});

test('endpoints tell pods their Services, and opaque pods make undeclared ports opaque', () => {
  const { clock, store, states, sync } = start();
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('Pod', 'shop/p', pod('p'), [], '');
  store.put('EndpointSlice', 'shop/web-1', slice(['p']), [], '');
  sync();
  expect(store.current?.workloads.get('shop/p')?.services).toEqual(['shop/web']);
  store.put('Pod', 'shop/p', { ...pod('p'), opaquePorts: [8080] }, [], '');
  clock.advance(10);
  expect(store.current?.services.get('shop/web')?.ports[0].protocol).toBe('opaque');
  expect([...states[0].change.services]).toEqual(['shop/web']);
  store.remove('EndpointSlice', 'shop/web-1');
  clock.advance(10);
  expect(store.current?.workloads.get('shop/p')?.services).toEqual([]);
  expect(store.current?.endpoints.has('shop/web')).toBe(false);
  expect(store.current?.services.get('shop/web')?.ports[0].protocol).toBe('detect');
});

test('a backend that does not exist answers 500 until its Service appears', () => {
  const { clock, store, states, sync } = start();
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('HTTPRoute', 'shop/r', route('r', 'web', 'v2'), [], '');
  sync();
  const backend = () => {
    const action = store.current?.routes.get('HTTPRoute/shop/r')?.rules[0].action;
    return action?.kind === 'forward' ? action.backends[0] : null;
  };
  const problem =
    'spec.rules[0].backendRefs[0] refers to Service shop/v2, which does not exist; create it or correct the name';
  expect(backend()?.service).toBeNull();
  expect(store.problems()).toEqual([{ subject: 'HTTPRoute/shop/r', location: '', problems: [problem] }]);
  expect(store.current?.routes.get('HTTPRoute/shop/r')?.problems).toEqual([problem]);

  store.put('Service', 'shop/v2', service('v2', 81), [], '');
  clock.advance(10);
  expect(store.problems()[0].problems).toEqual([
    'spec.rules[0].backendRefs[0] refers to port 80, which Service shop/v2 does not have; use one of 81',
  ]);
  store.put('Service', 'shop/v2', service('v2'), [], '');
  clock.advance(10);
  expect(backend()?.service).toEqual({ namespace: 'shop', name: 'v2', port: 80 });
  expect(store.problems()).toEqual([]);
  expect(states.map(({ change }) => [...change.routed])).toEqual([['shop/web'], ['shop/web']]);
});

test('an object that cannot be used keeps its last good record', () => {
  const { clock, store, states, sync } = start();
  store.put('Service', 'shop/web', service('web'), [], 'a.yaml:1');
  sync();
  store.reject('Service', 'shop/web', ['spec.ports is 3; use a list'], 'a.yaml:1');
  store.reject('Service', 'shop/new', ['spec.ports is 3; use a list'], 'a.yaml:9');
  clock.advance(10);
  expect(states).toEqual([]);
  expect(store.current?.services.has('shop/web')).toBe(true);
  expect(store.problems()).toEqual([
    {
      subject: 'Service/shop/new',
      location: 'a.yaml:9',
      problems: ['spec.ports is 3; use a list (it is not in force)'],
    },
    {
      subject: 'Service/shop/web',
      location: 'a.yaml:1',
      problems: ['spec.ports is 3; use a list (its last good version stays in force)'],
    },
  ]);
});

test('of two splits of one Service the older one is used, and the next when it goes', () => {
  const { clock, store, sync } = start();
  const split = (name: string, created: number) => ({
    namespace: 'shop',
    name,
    uid: name,
    generation: 1,
    created,
    service: 'web',
    groups: [],
    backends: [{ service: 'web', weight: 1 }],
  });
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('TrafficSplit', 'shop/a', split('a', 20), [], '');
  store.put('TrafficSplit', 'shop/b', split('b', 10), [], '');
  sync();
  expect(
    [...(store.current?.routes.values() ?? [])].map(({ name, parents }) => [name, parents.length]),
  ).toEqual([
    ['a', 0],
    ['b', 1],
  ]);
  expect(store.problems()).toEqual([
    {
      subject: 'TrafficSplit/shop/a',
      location: '',
      problems: ['spec.service is "web", which TrafficSplit shop/b splits already; delete one of them'],
    },
  ]);
  store.remove('TrafficSplit', 'shop/b');
  clock.advance(10);
  expect([...(store.current?.routes.keys() ?? [])]).toEqual(['TrafficSplit/shop/a:80']);
  expect(store.problems()).toEqual([]);
});

test('an HTTPRoute takes precedence over a split, a GRPCRoute over both', () => {
  const { clock, store, states, sync } = start();
  const split = {
    namespace: 'shop',
    name: 's',
    uid: 's',
    generation: 1,
    created: 0,
    service: 'web',
    groups: [],
    backends: [{ service: 'web', weight: 1 }],
  };
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('TrafficSplit', 'shop/s', split, [], '');
  sync();
  store.put('HTTPRoute', 'shop/r', route('r', 'web', 'web'), [], '');
  clock.advance(10);
  expect(store.problems().map(({ problems }) => problems)).toEqual([
    [
      'spec.service is "web", to whose port 80 HTTPRoute shop/r is attached; it takes precedence, so delete one of them',
    ],
  ]);
  expect(store.current?.routes.get('TrafficSplit/shop/s')?.parents).toEqual([]);
  expect(store.current?.routes.has('TrafficSplit/shop/s:80')).toBe(false);
  expect([...states[0].change.routed]).toEqual(['shop/web']);

  store.put('GRPCRoute', 'shop/g', route('g', 'web', 'web', 'GRPCRoute'), [], '');
  clock.advance(10);
  expect(store.problems().map(({ subject, problems }) => [subject, ...problems])).toEqual([
    [
      'HTTPRoute/shop/r',
      'spec.parentRefs names port 80 of Service shop/web, to which GRPCRoute shop/g is attached; a port takes the routes of one kind, so delete one of them or set port',
    ],
    [
      'TrafficSplit/shop/s',
      'spec.service is "web", to whose port 80 GRPCRoute shop/g is attached; it takes precedence, so delete one of them',
    ],
  ]);
  store.remove('GRPCRoute', 'shop/g');
  store.remove('HTTPRoute', 'shop/r');
  clock.advance(10);
  expect(store.problems()).toEqual([]);
  expect(store.current?.routes.has('TrafficSplit/shop/s:80')).toBe(true);
});

test('a split follows the HTTPRouteGroups that it names', () => {
  const { clock, store, sync } = start();
  const match = {
    path: { kind: 'prefix' as const, value: '/' },
    method: 'GET',
    headers: [],
    query: [],
  };
  const split = {
    namespace: 'shop',
    name: 's',
    uid: 's',
    generation: 1,
    created: 0,
    service: 'web',
    groups: ['g'],
    backends: [{ service: 'web', weight: 1 }],
  };
  const methods = () =>
    store.current?.routes.get('TrafficSplit/shop/s:80')?.rules.map(rule => rule.matches[0].method);
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('TrafficSplit', 'shop/s', split, [], '');
  sync();
  expect(methods()).toEqual(['']);
  store.put('HTTPRouteGroup', 'shop/g', { namespace: 'shop', name: 'g', matches: [match] }, [], '');
  clock.advance(10);
  expect(methods()).toEqual(['GET', '']);
  expect(store.problems()).toEqual([]);
  store.remove('HTTPRouteGroup', 'shop/g');
  clock.advance(10);
  expect(methods()).toEqual(['']);
  expect(store.problems().map(({ subject }) => subject)).toEqual(['TrafficSplit/shop/s']);
});

test('a policy changes the Service that it targets and the routes to it, and the next takes over when it goes', () => {
  const { clock, store, states, sync } = start();
  for (const name of ['web', 'v1']) store.put('Service', `shop/${name}`, service(name), [], '');
  store.put('HTTPRoute', 'shop/r', route('r', 'web', 'v1'), [], '');
  sync();
  const policy = (name: string, created: number, percent: number): PolicyRecord => ({
    namespace: 'shop',
    name,
    uid: name,
    generation: 1,
    created,
    targets: ['v1', 'later'],
    budget: { percent, intervalMs: 1000, minCount: 1, minIntervalMs: 1000 },
    session: null,
    invalid: '',
  });
  const put = (record: PolicyRecord): void =>
    store.put('XBackendTrafficPolicy', `shop/${record.name}`, record, [], '');
  const seen = () => {
    clock.advance(1000);
    const { mesh, change } = states.splice(0).at(-1) as (typeof states)[number];
    const [rule] = mesh.routes.get('HTTPRoute/shop/r')?.rules ?? [];
    const backend = rule.action.kind === 'forward' ? rule.action.backends[0] : null;
    const policies = ['v1', 'web', 'later'].map(name => mesh.services.get(`shop/${name}`)?.policy ?? null);
    expect(backend?.policy ?? null).toEqual(policies[0]);
    return {
      percents: policies.map(found => found?.budget?.percent),
      changed: [...change.services],
      reasons: [...mesh.policies.values()].map(
        ({ name, targets }) => `${name} ${targets.map(({ reason }) => reason).join(' ')}`,
      ),
    };
  };

  put(policy('b', 2, 20));
  const none = undefined;
  expect(seen()).toEqual({
    percents: [20, none, none],
    changed: ['shop/v1'],
    reasons: ['b Accepted TargetNotFound'],
  });
  put(policy('a', 1, 10));
  expect(seen()).toMatchObject({
    percents: [10, none, none],
    reasons: ['b Conflicted TargetNotFound', 'a Accepted TargetNotFound'],
  });
  store.put('Service', 'shop/later', service('later'), [], '');
  expect(seen()).toMatchObject({
    percents: [10, none, 10],
    changed: ['shop/later'],
    reasons: ['b Conflicted Conflicted', 'a Accepted Accepted'],
  });
  store.remove('XBackendTrafficPolicy', 'shop/a');
  expect(seen()).toMatchObject({ percents: [20, none, 20], reasons: ['b Accepted Accepted'] });
  store.remove('XBackendTrafficPolicy', 'shop/b');
  expect(seen()).toMatchObject({ percents: [none, none, none], reasons: [] });
  expect(store.problems()).toEqual([]);
});

test('a policy that comes and loses its Service is told so, though no traffic changes', () => {
  const { clock, store, states, sync } = start();
  const policy = (name: string): PolicyRecord => ({
    namespace: 'shop',
    name,
    uid: name,
    generation: 1,
    created: 1,
    targets: ['web'],
    budget: null,
    session: null,
    invalid: '',
  });
  store.put('Service', 'shop/web', service('web'), [], '');
  store.put('XBackendTrafficPolicy', 'shop/a', policy('a'), [], '');
  sync();
  store.put('XBackendTrafficPolicy', 'shop/b', policy('b'), [], '');
  clock.advance(10);
  expect(states).toHaveLength(1);
  const [loser] = states[0].mesh.policies.get('XBackendTrafficPolicy/shop/b')?.targets ?? [];
  expect(loser.reason).toBe('Conflicted');
  store.put('XBackendTrafficPolicy', 'shop/b', policy('b'), [], '');
  clock.advance(10);
  expect(states).toHaveLength(1);
});

test('of two kinds of routes at a port the loser says who has won, and takes over when that goes', () => {
  const { clock, store, sync } = start();
  const kinds = ['TCPRoute', 'TLSRoute', 'HTTPRoute', 'GRPCRoute'] as const;
  store.put('Service', 'shop/web', service('web'), [], '');
  for (const kind of kinds) store.put(kind, `shop/${kind}`, route(kind, 'web', 'web', kind), [], '');
  sync();
  const conflicts = (): Record<string, string[]> => {
    clock.advance(1000);
    return Object.fromEntries(
      [...(store.current as Mesh).routes.values()].map(({ kind, faults }) => [
        kind,
        faults.map(({ reason, message }) => `${reason}: ${/ to which (\S+ \S+) is/.exec(message)?.[1]}`),
      ]),
    );
  };
  const left: string[] = [...kinds];
  while (left.length > 0) {
    const winner = left.pop() as (typeof kinds)[number];
    expect(conflicts()).toEqual({
      ...Object.fromEntries(left.map(kind => [kind, [`Conflicted: ${winner} shop/${winner}`]])),
      [winner]: [],
    });
    store.remove(winner, `shop/${winner}`);
  }
  clock.advance(1000);
  expect(store.problems()).toEqual([]);
});

test('of TCPRoutes at a port the oldest takes it, of TLSRoutes each server name goes to the oldest', () => {
  const { store, sync } = start();
  store.put('Service', 'shop/web', service('web'), [], '');
  const put = (
    kind: 'TCPRoute' | 'TLSRoute',
    name: string,
    created: number,
    fields: Partial<Route> = {},
  ): void =>
    store.put(
      kind,
      `shop/${name}`,
      { ...route(name, name.slice(0, 3), 'web', kind), created, ...fields },
      [],
      '',
    );
  store.put('Service', 'shop/tcp', service('tcp'), [], '');
  store.put('Service', 'shop/tls', service('tls'), [], '');
  put('TCPRoute', 'tcp-b', 1);
  put('TCPRoute', 'tcp-a', 1);
  put('TCPRoute', 'tcp-0', 2);
  put('TLSRoute', 'tls-old', 1, { hostnames: ['a.test', 'b.test'] });
  put('TLSRoute', 'tls-new', 2, { hostnames: ['a.test', 'c.test'] });
  put('TLSRoute', 'tls-lost', 3, { hostnames: ['c.test', 'b.test'] });
  put('TLSRoute', 'tls-any', 4);
  // Sets of different namespaces do not meet.
  const parents = [{ namespace: 'shop', name: 'tcp', port: 0, sectionName: '' }];
  put('TCPRoute', 'tcp-consumer', 0, { namespace: 'consumer', parents });
  sync();
  const faults = [...(store.current as Mesh).routes.values()].map(({ name, faults }) => [
    name,
    faults.map(({ reason, message }) => `${reason} ${message}`),
  ]);
  const at = (name: string): string => `spec.parentRefs names port 80 of Service shop/${name}, to which`;
  const one = 'a port takes one TCPRoute, so delete one of them or set port';
  const names = 'a name goes to one TLSRoute, so delete it from one of them';
  const old = (name: string, host: string): string =>
    `the older TLSRoute shop/${name} is attached with hostname "${host}"`;
  expect(Object.fromEntries(faults)).toEqual({
    'tcp-a': [],
    'tcp-b': [`Conflicted ${at('tcp')} the older TCPRoute shop/tcp-a is attached; ${one}`],
    'tcp-0': [`Conflicted ${at('tcp')} the older TCPRoute shop/tcp-a is attached; ${one}`],
    'tcp-consumer': [],
    'tls-old': [],
    'tls-any': [],
    'tls-new': [`NotApplied ${at('tls')} ${old('tls-old', 'a.test')}; ${names}`],
    'tls-lost': [
      `Conflicted ${at('tls')} ${old('tls-new', 'c.test')} and ${old('tls-old', 'b.test')}; ${names}`,
    ],
  });
});

test('a route of requests does not take a port that carries something else', () => {
  const { store, sync } = start();
  const [http] = service('web').ports;
  const ports = [http, { ...http, port: 443, name: 'https', protocol: 'opaque' as const }];
  store.put('Service', 'shop/web', { ...service('web'), ports }, [], '');
  store.put('HTTPRoute', 'shop/h', route('h', 'web', 'web'), [], '');
  store.put('TLSRoute', 'shop/t', { ...route('t', 'web', 'web', 'TLSRoute'), hostnames: ['a.test'] }, [], '');
  const parents = [{ namespace: 'shop', name: 'web', port: 443, sectionName: '' }];
  store.put(
    'TLSRoute',
    'shop/s',
    { ...route('s', 'web', 'web', 'TLSRoute'), hostnames: ['b.test'], parents },
    [],
    '',
  );
  sync();
  const faults = (id: string) => store.current?.routes.get(id)?.faults.map(({ reason }) => reason);
  expect(faults('HTTPRoute/shop/h')).toEqual([]);
  expect(faults('TLSRoute/shop/t')).toEqual(['NotApplied']);
  expect(faults('TLSRoute/shop/s')).toEqual([]);
});
