/** Routes and requests for tests and benchmarks. */
import type { RequestHead } from '../exchange/stream.ts';
import type {
  BackendConfig,
  CorsConfig,
  ForwardConfig,
  RouteConfig,
  RouteMatchConfig,
  RoutesConfig,
} from './route-config.ts';

export function backend(cluster: string, weight = 1): BackendConfig {
  return { cluster, weight, requestFields: null, responseFields: null };
}

export function forward(overrides: Partial<ForwardConfig> = {}): ForwardConfig {
  return {
    kind: 'forward',
    backends: [backend('a')],
    pathRewrite: null,
    hostRewrite: '',
    timeoutMs: 0,
    retry: null,
    mirrors: [],
    ...overrides,
  };
}

export function route(match: Partial<RouteMatchConfig>, overrides: Partial<RouteConfig> = {}): RouteConfig {
  return {
    match: { path: { kind: 'any' }, method: '', headers: [], query: [], ...match },
    action: forward(),
    requestFields: null,
    responseFields: null,
    cors: null,
    session: null,
    origin: '',
    ...overrides,
  };
}

/** Allows https://a.com. */
export function cors(overrides: Partial<CorsConfig> = {}): CorsConfig {
  return {
    origins: [{ kind: 'exact', value: 'https://a.com' }],
    methods: '',
    headers: '',
    exposeHeaders: '',
    credentials: false,
    maxAge: '5',
    ...overrides,
  };
}

export function routes(...list: RouteConfig[]): RoutesConfig {
  return { name: 'route/default/echo:80', version: '1', routes: list };
}

export function request(path: string, overrides: Partial<RequestHead> = {}): RequestHead {
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'echo',
    path,
    upgrade: '',
    version: 11,
    fields: [],
    contentLength: 0,
    ...overrides,
  };
}
