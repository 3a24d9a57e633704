/** Objects as users write them, of which tests make random ones: a Service with two ports, two backends, and routes. */
import fc from 'fast-check';

export interface HeaderMatch {
  readonly type?: 'Exact' | 'RegularExpression';
  readonly name: string;
  readonly value: string;
}

export interface HttpMatch {
  readonly path?: { readonly type?: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value?: string };
  readonly method?: string;
  readonly headers?: readonly HeaderMatch[];
  readonly queryParams?: readonly HeaderMatch[];
}

export interface GrpcMatch {
  readonly method?: {
    readonly type?: 'Exact' | 'RegularExpression';
    readonly service?: string;
    readonly method?: string;
  };
  readonly headers?: readonly HeaderMatch[];
}

export interface HeaderModifier {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
}

export type PathModifier =
  | { readonly type: 'ReplaceFullPath'; readonly replaceFullPath: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly replacePrefixMatch: string };

export type Filter =
  | { readonly type: 'RequestHeaderModifier'; readonly requestHeaderModifier: HeaderModifier }
  | {
      readonly type: 'URLRewrite';
      readonly urlRewrite: { readonly hostname?: string; readonly path?: PathModifier };
    }
  | {
      readonly type: 'RequestRedirect';
      readonly requestRedirect: {
        readonly scheme?: string;
        readonly hostname?: string;
        readonly port?: number;
        readonly statusCode?: number;
        readonly path?: PathModifier;
      };
    };

export interface BackendRef {
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port: number;
  readonly weight?: number;
  readonly filters?: readonly Filter[];
}

export interface Rule {
  readonly matches?: readonly (HttpMatch & GrpcMatch)[];
  readonly filters?: readonly Filter[];
  readonly backendRefs?: readonly BackendRef[];
}

export interface RouteObject {
  readonly apiVersion: string;
  readonly kind: 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly creationTimestamp: string;
  };
  readonly spec: {
    readonly parentRefs: readonly {
      readonly group: '';
      readonly kind: 'Service';
      readonly namespace: string;
      readonly name: string;
      readonly port?: number;
      readonly sectionName?: string;
    }[];
    /** Of a TLSRoute. */
    readonly hostnames?: readonly string[];
    readonly rules: readonly Rule[];
  };
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** The ports of the Service `shop/web`, by number. */
export const webPorts: Readonly<Record<number, string>> = { 80: 'http', 81: 'alt' };

export const services = [
  { name: 'web', address: '10.0.0.1', ports: [80, 81] },
  { name: 'v1', address: '10.0.0.2', ports: [80] },
  { name: 'v2', address: '10.0.0.3', ports: [80] },
].map(({ name, address, ports }) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'shop', name },
  spec: {
    clusterIP: address,
    ports: ports.map(port => ({ port, name: webPorts[port], appProtocol: 'http' })),
  },
}));

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

/** Without the fields that are undefined, as an object of JSON is. */
const record = <T>(model: { readonly [K in keyof T]-?: fc.Arbitrary<T[K] | undefined> }): fc.Arbitrary<T> =>
  fc
    .record(model as Record<string, fc.Arbitrary<unknown>>)
    .map(value => JSON.parse(JSON.stringify(value)) as T);

const expressions = ['/a.*', '/[ab]+', '/(a|b)/b', '.*', '/a/?b?'];

const path: fc.Arbitrary<NonNullable<HttpMatch['path']>> = fc.oneof(
  record<NonNullable<HttpMatch['path']>>({
    type: fc.constantFrom('Exact', 'PathPrefix', undefined),
    value: fc.constantFrom('/', '/a', '/a/', '/a/b', '/ab', '/a/b/c', undefined),
  }),
  fc.record({ type: fc.constant('RegularExpression' as const), value: fc.constantFrom(...expressions) }),
);

const valueMatch = (names: readonly string[]): fc.Arbitrary<HeaderMatch> =>
  fc.oneof(
    record<HeaderMatch>({
      type: fc.constantFrom('Exact', undefined),
      name: fc.constantFrom(...names),
      value: fc.constantFrom('1', '2'),
    }),
    fc.record({
      type: fc.constant('RegularExpression' as const),
      name: fc.constantFrom(...names),
      value: fc.constantFrom('[12]', '1+', '.*'),
    }),
  );

const headers = fc.array(valueMatch(['x-a', 'X-A', 'x-b']), { maxLength: 2 });

const httpMatch = record<HttpMatch>({
  path: optional(path),
  method: fc.constantFrom(undefined, undefined, 'GET', 'POST'),
  headers: optional(headers),
  queryParams: optional(fc.array(valueMatch(['q', 'r']), { maxLength: 2 })),
});

const grpcMatch = record<GrpcMatch>({
  method: optional(
    fc
      .oneof(
        record<NonNullable<GrpcMatch['method']>>({
          type: fc.constantFrom('Exact', undefined),
          service: fc.constantFrom('a.B', 'a.Bc', undefined),
          method: fc.constantFrom('M', 'Mn', undefined),
        }),
        record<NonNullable<GrpcMatch['method']>>({
          type: fc.constant('RegularExpression' as const),
          service: fc.constantFrom('a\\..*', '[a-z.B]+', undefined),
          method: fc.constantFrom('M.?', '[A-Z]', undefined),
        }),
      )
      // The schema demands one of them.
      .filter(({ service, method }) => service !== undefined || method !== undefined),
  ),
  headers: optional(headers),
});

/** Each name once, as the schema demands. */
const headerModifier = fc
  .array(
    fc.tuple(
      fc.constantFrom('set' as const, 'add' as const, 'remove' as const),
      fc.constantFrom('x-a', 'X-B', 'x-c'),
      fc.constantFrom('1', '9'),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map(edits => {
    const first = edits.filter(
      ([, name], i) => edits.findIndex(([, other]) => other.toLowerCase() === name.toLowerCase()) === i,
    );
    const lines = (kind: string) =>
      first.flatMap(([what, name, value]) => (what === kind ? [{ name, value }] : []));
    const requestHeaderModifier: HeaderModifier = {
      set: lines('set'),
      add: lines('add'),
      remove: lines('remove').map(({ name }) => name),
    };
    return { type: 'RequestHeaderModifier' as const, requestHeaderModifier };
  });

const fullPath = fc.record({
  type: fc.constant('ReplaceFullPath' as const),
  replaceFullPath: fc.constantFrom('/one', '/'),
});

const prefixPath = fc.record({
  type: fc.constant('ReplacePrefixMatch' as const),
  replacePrefixMatch: fc.constantFrom('/', '/xyz', '/xyz/', ''),
});

/** ReplacePrefixMatch needs a rule whose only match is a prefix. */
const modifierFor = (prefix: boolean): fc.Arbitrary<PathModifier | undefined> =>
  optional(prefix ? fc.oneof(fullPath, prefixPath) : fullPath);

const plainRef = {
  kind: fc.constantFrom(undefined, undefined, undefined, 'Service', 'Bucket'),
  name: fc.constantFrom('v1', 'v2', 'v1', 'v2', 'gone'),
  namespace: fc.constant('shop'),
  port: fc.constantFrom(80, 80, 80, 99),
  weight: fc.constantFrom(undefined, 0, 1, 3),
};

const backendRef = record<BackendRef>({
  ...plainRef,
  filters: optional(fc.array(headerModifier, { maxLength: 1 })),
});

function hasOnePrefix(matches: readonly HttpMatch[] | undefined): boolean {
  if (matches === undefined || matches.length === 0) return true;
  return matches.length === 1 && (matches[0].path?.type ?? 'PathPrefix') === 'PathPrefix';
}

const forwardTo = fc.array(backendRef, { maxLength: 3 });

const httpRule: fc.Arbitrary<Rule> = optional(fc.array(httpMatch, { maxLength: 3 })).chain(matches => {
  const modifier = modifierFor(hasOnePrefix(matches));
  const rewrite = record<Extract<Filter, { type: 'URLRewrite' }>['urlRewrite']>({
    hostname: fc.constantFrom(undefined, 'else.where'),
    path: modifier,
  })
    .filter(({ hostname, path }) => hostname !== undefined || path !== undefined)
    .map(urlRewrite => ({ type: 'URLRewrite' as const, urlRewrite }));
  const redirect = record<Extract<Filter, { type: 'RequestRedirect' }>['requestRedirect']>({
    scheme: fc.constantFrom(undefined, 'https', 'http'),
    hostname: fc.constantFrom(undefined, 'else.where'),
    port: fc.constantFrom(undefined, 80, 443, 8083),
    statusCode: fc.constantFrom(undefined, 301, 302, 303, 307, 308),
    path: modifier,
  }).map(requestRedirect => ({ type: 'RequestRedirect' as const, requestRedirect }));
  const forwarding = fc.tuple(optional(headerModifier), optional(rewrite), forwardTo);
  return fc
    .oneof(
      {
        weight: 3,
        arbitrary: forwarding.map(([edit, rewrite, backendRefs]) => ({ edit, last: rewrite, backendRefs })),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(redirect).map(([last]) => ({ edit: undefined, last, backendRefs: undefined })),
      },
    )
    .map(({ edit, last, backendRefs }) => {
      const filters = [edit, last].filter(filter => filter !== undefined);
      return JSON.parse(JSON.stringify({ matches, filters, backendRefs })) as Rule;
    });
});

const grpcRule: fc.Arbitrary<Rule> = fc
  .tuple(optional(fc.array(grpcMatch, { maxLength: 3 })), optional(headerModifier), forwardTo)
  .map(([matches, edit, backendRefs]) => {
    const filters = edit === undefined ? [] : [edit];
    return JSON.parse(JSON.stringify({ matches, filters, backendRefs })) as Rule;
  });

/** One rule of backends, as the schema demands. */
const connectionRule: fc.Arbitrary<Rule> = fc
  .array(record<Omit<BackendRef, 'filters'>>(plainRef), { minLength: 1, maxLength: 3 })
  .map(backendRefs => ({ backendRefs }));

const rulesOf = (kind: RouteObject['kind']): fc.Arbitrary<Rule[]> => {
  if (kind === 'TLSRoute' || kind === 'TCPRoute')
    return fc.array(connectionRule, { minLength: 1, maxLength: 1 });
  return fc.array(kind === 'HTTPRoute' ? httpRule : grpcRule, { minLength: 1, maxLength: 3 });
};

const hostnames = fc.uniqueArray(
  fc.constantFrom('a.test', 'b.a.test', '*.test', '*.a.test', '*.b.a.test', 'a.other'),
  { minLength: 1, maxLength: 3 },
);

const parentRef = record<RouteObject['spec']['parentRefs'][number]>({
  group: fc.constant(''),
  kind: fc.constant('Service' as const),
  namespace: fc.constant('shop'),
  name: fc.constantFrom('web', 'web', 'web', 'v1'),
  port: fc.constantFrom(undefined, undefined, 80, 81, 99),
  sectionName: fc.constantFrom(undefined, undefined, undefined, 'http', 'alt'),
});

const route = (kind: RouteObject['kind']): fc.Arbitrary<RouteObject> =>
  fc.record({
    apiVersion: fc.constant('gateway.networking.k8s.io/v1'),
    kind: fc.constant(kind),
    metadata: fc.record({
      namespace: fc.constantFrom('shop', 'shop', 'client'),
      name: fc.constantFrom('r0', 'r1', 'r2', 'r3'),
      creationTimestamp: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
    }),
    spec: fc.record({
      parentRefs: fc.array(parentRef, { minLength: 1, maxLength: 2 }),
      ...(kind === 'TLSRoute' ? { hostnames } : {}),
      rules: rulesOf(kind),
    }),
  });

const named = (routes: fc.Arbitrary<RouteObject>): fc.Arbitrary<RouteObject[]> =>
  fc.uniqueArray(routes, {
    maxLength: 5,
    selector: ({ kind, metadata: { namespace, name } }) => `${kind}/${namespace}/${name}`,
  });

/** Objects have names of their own in a namespace. */
export const routes: fc.Arbitrary<RouteObject[]> = named(
  fc.oneof({ weight: 5, arbitrary: route('HTTPRoute') }, { weight: 1, arbitrary: route('GRPCRoute') }),
);

/** Of all kinds, most of them for connections. */
export const anyRoutes: fc.Arbitrary<RouteObject[]> = named(
  fc.oneof(
    { weight: 5, arbitrary: route('TLSRoute') },
    { weight: 4, arbitrary: route('TCPRoute') },
    { weight: 1, arbitrary: route('HTTPRoute') },
    { weight: 1, arbitrary: route('GRPCRoute') },
  ),
);

/** Server name of a ClientHello; '': it has none, null: no TLS. */
export const serverNames: fc.Arbitrary<string | null> = fc.constantFrom(
  null,
  '',
  'test',
  'a.test',
  'b.a.test',
  'c.a.test',
  'c.b.a.test',
  'x.test',
  'a.other',
);

export const requests: fc.Arbitrary<Request> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT'),
  path: fc
    .tuple(
      fc.constantFrom(
        '/',
        '/a',
        '/a/',
        '/a/b',
        '/ab',
        '/a/bc',
        '/a/b/c/d',
        '/b/b',
        '/a.B/M',
        '/a.Bc/Mn',
        '/c',
      ),
      fc.constantFrom('', '?q=1', '?q=2&r=1', '?q=1&q=2', '?x=1&r=2'),
    )
    .map(parts => parts.join('')),
  headers: fc.uniqueArray(
    fc.tuple(fc.constantFrom('x-a', 'x-b', 'x-c', 'user-agent'), fc.constantFrom('1', '2', '12', '3')),
    { maxLength: 3, selector: ([name]) => name },
  ),
});
