/** What a dialect cannot express is said with the resource that lacks it, and is in docs/xds.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BackendTls, Retry, Route, RouteRule, Session, TrafficPolicy } from '../model/model.ts';
import type { Client } from './client.ts';
import { dialects } from './dialects.ts';
import { EndpointFrames } from './endpoint-frames.ts';
import { notExpressed as envoy } from './envoy/not-expressed.ts';
import { notExpressed as grpc } from './grpc/not-expressed.ts';
import { match, mesh, port, route, rule, service } from './mesh.fixture.ts';
import { MeshIndex } from './mesh-index.ts';
import { MeshReader } from './mesh-reader.ts';
import type { NotExpressed, Omission } from './omission.ts';

const edits = { set: [{ name: 'x', value: '1' }], add: [], remove: [] };
const session: Session = { kind: 'header', name: 'x-session', timeoutMs: 0, permanent: false };
const backends = rule({ 'one:80': 1 }).action;
if (backends.kind !== 'forward') throw new Error('unreachable');
const [backend] = backends.backends;
const retry: Retry = {
  attempts: 1,
  statuses: [],
  grpcStatuses: ['unavailable'],
  onReset: true,
  backoffMs: 0,
  anyMethod: true,
};
const retrying = (fields: Partial<Retry>): Partial<RouteRule> => ({ retry: { ...retry, ...fields } });
const forwarding = (fields: Partial<typeof backends>): Partial<RouteRule> => ({
  action: { ...backends, ...fields },
});
const mirrored = { mirrors: [{ backend, fraction: 1 }] };
const redirect: Partial<RouteRule> = {
  action: { kind: 'redirect', status: 302, scheme: '', host: '', port: 0, path: null },
};
const budget = { percent: 20, intervalMs: 10_000, minCount: 10, minIntervalMs: 1000 };
const policy = (fields: Partial<TrafficPolicy>): TrafficPolicy => ({
  origin: 'XBackendTrafficPolicy/default/p',
  uid: 'uid-p',
  budget: null,
  session: null,
  ...fields,
});
const cors = {
  allowOrigins: ['*'],
  allowMethods: [],
  allowHeaders: [],
  exposeHeaders: [],
  allowCredentials: false,
  maxAgeS: 5,
};

/** A rule of the route `r`, or a policy of its backend, that says what the dialect cannot be told. */
type Case =
  | 'TCPRoute'
  | Partial<RouteRule>
  | { readonly policy: TrafficPolicy }
  | { readonly tls: BackendTls };

const tls: BackendTls = {
  kind: 'verified',
  origin: 'BackendTLSPolicy/default/p',
  hostname: 'a.test',
  subjectAltNames: [],
  authorities: null,
};

const large = match({ path: { kind: 'regex', value: '/([a-z]{1,20}|[0-9]{3,40})/(a|b|c|d|e|f){1,30}' } });

const byQuery: Partial<RouteRule> = {
  matches: [match({ query: [{ name: 'q', match: { kind: 'exact', value: '1' } }] })],
};

const envoyCases: Readonly<Record<keyof typeof envoy, Case>> = {
  rules: 'TCPRoute',
  matches: { matches: [large] },
  'matches.queryParams': byQuery,
  'filters.cors': { cors },
  'filters.requestMirror': forwarding({ ...mirrored, backends: [{ ...backend, requestFields: edits }] }),
  'timeouts.backendRequest': { backendTimeoutMs: 100 },
  'retry.backoff': retrying({ backoffMs: 100 }),
  sessionPersistence: { ...rule({ 'one:80': 1, 'two:80': 1 }), session },
  'sessionPersistence.absoluteTimeout': { session: { ...session, timeoutMs: 1000 } },
  'retryConstraint.minRetryRate': { policy: policy({ budget }) },
  'validation.wellKnownCACertificates': { tls },
};

const grpcCases: Readonly<Record<keyof typeof grpc, Case>> = {
  rules: 'TCPRoute',
  'matches.headers': {
    matches: [match({ headers: [{ name: 'x-bin', match: { kind: 'exact', value: '1' } }] })],
  },
  'filters.requestRedirect': redirect,
  'filters.requestHeaderModifier': { requestFields: edits },
  'filters.responseHeaderModifier': forwarding({ backends: [{ ...backend, responseFields: edits }] }),
  'filters.urlRewrite': forwarding({ hostRewrite: 'other.example' }),
  'filters.requestMirror': forwarding(mirrored),
  'timeouts.backendRequest': { backendTimeoutMs: 100 },
  retry: retrying({ grpcStatuses: [] }),
  'retry.attempts': retrying({ attempts: 5 }),
  'retry.codes': retrying({ statuses: [500] }),
  'retry.backoff': retrying({ backoffMs: 100 }),
  sessionPersistence: { session },
  retryConstraint: { policy: policy({ budget }) },
  validation: { tls: { kind: 'refused', origin: 'BackendTLSPolicy/default/p' } },
};

const clientOf = (dialect: Client['dialect']): Client => ({
  dialect,
  namespace: 'default',
  zone: '',
  tls: null,
  outbound: { address: '127.0.0.1', port: 1 },
});

interface Parts {
  readonly fields: Partial<RouteRule>;
  readonly kind: Route['kind'];
  readonly policy: TrafficPolicy | null;
  readonly tls: BackendTls | null;
}

function partsOf(of: Case): Parts {
  const nothing: Parts = { fields: {}, kind: 'HTTPRoute', policy: null, tls: null };
  if (of === 'TCPRoute') return { ...nothing, kind: of };
  return 'policy' in of || 'tls' in of ? { ...nothing, ...of } : { ...nothing, fields: of };
}

/** Whom it is said of, and of which of its rules. */
function ownerOf(of: Case): Pick<Omission, 'subject' | 'rule'> {
  if (of === 'TCPRoute') return { subject: 'TCPRoute/default/r', rule: '0' };
  if ('policy' in of) return { subject: 'XBackendTrafficPolicy/default/p', rule: '' };
  return 'tls' in of
    ? { subject: 'BackendTLSPolicy/default/p', rule: '' }
    : { subject: 'HTTPRoute/default/r', rule: '1' };
}

/** Of everything that a client of Service `web` gets. */
function omittedBy(dialect: 'envoy' | 'grpc', of: Case): Omission[] {
  const { fields, kind, policy, tls } = partsOf(of);
  const first = rule({ 'two:80': 1 }, { matches: [match({ path: { kind: 'exact', value: '/' } })] });
  const one = service('one', { ports: [port(80, { backendTls: tls })], policy });
  const state = mesh({
    services: [service('web'), one, service('two')],
    routes: [route('r', 'web', [first, rule({ 'one:80': 1 }, fields)], { kind })],
  });
  const index = new MeshIndex(state);
  const listener = dialect === 'envoy' ? 'outbound' : 'web:80';
  const routes = dialect === 'envoy' ? 'outbound' : 'route/default/web:80';
  const names = { listener, routes, cluster: 'service/default/one:80' };
  return (['listener', 'routes', 'cluster'] as const).flatMap(kind => {
    const frames = new EndpointFrames(state.trustDomain);
    return dialects[dialect].write(new MeshReader(index), frames, kind, names[kind], clientOf(dialect))
      .omitted;
  });
}

/** Rows of a table of docs/xds.md. */
function documented(heading: string): [field: string, instead: string][] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/xds.md'), 'utf8');
  const section = text
    .split('## What a dialect cannot express')[1]
    .split(`### ${heading}\n`)[1]
    .split('\n#')[0];
  return [...section.matchAll(/^\| `(.+)` \| (.+) \|$/gm)].map(([, field, instead]) => [field, instead]);
}

describe.each([
  ['envoy', 'Envoy', envoy, envoyCases],
  ['grpc', 'gRPC', grpc, grpcCases],
] as const)('%s', (dialect, heading, table: NotExpressed, cases: Readonly<Record<string, Case>>) => {
  it('has its table in the documentation', () => {
    expect(documented(heading)).toEqual(Object.entries(table));
  });

  it.each(Object.entries(cases))('says that it cannot express %s', (field, of) => {
    expect(omittedBy(dialect, of)).toEqual([{ ...ownerOf(of), field, instead: table[field] }]);
  });

  it('says nothing of a rule that it expresses', () => {
    const plain = {
      matches: [
        match({
          path: { kind: 'regex', value: '/[a-z]+' },
          headers: [{ name: 'a', match: { kind: 'regex', value: 'b+' } }],
        }),
      ],
      timeoutMs: 1000,
      ...retrying({ statuses: [503] }),
    };
    expect(omittedBy(dialect, plain)).toEqual([]);
  });
});

it('says of sessions of a policy what it says of those of a rule, to the policy', () => {
  const timed = { policy: policy({ session: { ...session, timeoutMs: 1000 } }) };
  const subject = 'XBackendTrafficPolicy/default/p';
  expect(omittedBy('envoy', timed)).toMatchObject([{ subject, field: 'sessionPersistence.absoluteTimeout' }]);
  expect(omittedBy('grpc', timed)).toMatchObject([{ subject, field: 'sessionPersistence' }]);
});

it('says nothing to gRPC clients of rules that no call can match', () => {
  const get = { matches: [match({ method: 'GET' })], requestFields: edits };
  expect(omittedBy('grpc', get)).toEqual([]);
  expect(omittedBy('grpc', { ...redirect, ...byQuery })).toEqual([]);
});
