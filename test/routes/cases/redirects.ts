/** Where a redirect sends, to the byte. */
import { exact, httpRoute, prefix, type RouteCase, type Step } from '../route-case.ts';

const redirect = (match: object, filter: object): object => ({
  matches: [match],
  filters: [{ type: 'RequestRedirect', requestRedirect: filter }],
});

const to = (
  path: string,
  status: number,
  location: string,
  more: Omit<Step, 'expect' | 'path'> = {},
): Step => ({
  path,
  ...more,
  expect: { status, answer: { location, 'tulle-error': null } },
});

const fullPath = (value: string): object => ({ path: { type: 'ReplaceFullPath', replaceFullPath: value } });
const newPrefix = (value: string): object => ({
  path: { type: 'ReplacePrefixMatch', replacePrefixMatch: value },
});

export const redirects: readonly RouteCase[] = [
  {
    name: 'redirect-host',
    objects: [
      httpRoute('redirect-host', [
        redirect(prefix('/hostname-redirect'), { hostname: 'example.org' }),
        redirect(prefix('/host-and-status'), { hostname: 'example.org', statusCode: 301 }),
      ]),
    ],
    requests: [
      to('/hostname-redirect', 302, 'http://example.org/hostname-redirect'),
      to('/hostname-redirect/a?b=c%20d', 302, 'http://example.org/hostname-redirect/a?b=c%20d'),
      to('/host-and-status', 301, 'http://example.org/host-and-status', { method: 'POST' }),
      { path: '/', expect: { failure: 'NO_ROUTE' } },
    ],
  },
  {
    name: 'redirect-status',
    objects: [
      httpRoute('redirect-status', [
        ...[301, 302, 303, 307, 308].map(statusCode =>
          redirect(exact(`/${statusCode}`), { hostname: 'example.org', statusCode }),
        ),
        redirect(exact('/same'), { statusCode: 302 }),
      ]),
    ],
    requests: [
      ...[301, 302, 303, 307, 308].map(status => to(`/${status}`, status, `http://example.org/${status}`)),
      to('/same', 302, 'http://redirect-status/same'),
      to('/same', 302, 'http://other.example/same', { host: 'other.example:8080' }),
    ],
  },
  {
    name: 'redirect-path',
    objects: [
      httpRoute('redirect-path', [
        redirect(prefix('/original-prefix'), newPrefix('/replacement-prefix')),
        redirect(prefix('/full'), fullPath('/full-path-replacement')),
        redirect(prefix('/prefix-and-host'), {
          hostname: 'example.org',
          ...newPrefix('/replacement-prefix'),
        }),
        redirect(prefix('/full-and-host'), { hostname: 'example.org', ...fullPath('/replacement-full') }),
        redirect(prefix('/full-and-status'), { ...fullPath('/replacement-full'), statusCode: 301 }),
        redirect(prefix('/gone'), newPrefix('/')),
      ]),
    ],
    requests: [
      to('/original-prefix/lemon', 302, 'http://redirect-path/replacement-prefix/lemon'),
      to('/original-prefix?a=b', 302, 'http://redirect-path/replacement-prefix?a=b'),
      to('/full/path/original?a=b', 302, 'http://redirect-path/full-path-replacement?a=b'),
      to('/full', 302, 'http://redirect-path/full-path-replacement'),
      to('/prefix-and-host/lemon', 302, 'http://example.org/replacement-prefix/lemon'),
      to('/full-and-host/lemon', 302, 'http://example.org/replacement-full'),
      to('/full-and-status/lemon', 301, 'http://redirect-path/replacement-full'),
      to('/gone/three', 302, 'http://redirect-path/three'),
      to('/gone', 302, 'http://redirect-path/'),
      to('/gone?a=b', 302, 'http://redirect-path/?a=b'),
    ],
  },
  {
    name: 'redirect-port',
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'http-alt', port: 8080, targetPort: 8080 },
    ],
    objects: [
      httpRoute('redirect-port', [
        redirect(prefix('/port'), { port: 8083 }),
        redirect(prefix('/port-and-host'), { port: 8083, hostname: 'example.org' }),
        redirect(prefix('/port-and-status'), { port: 8083, statusCode: 301 }),
        redirect(prefix('/port-and-host-and-status'), {
          port: 8083,
          hostname: 'example.org',
          statusCode: 302,
        }),
        redirect(prefix('/well-known'), { port: 80 }),
        redirect(prefix('/host-only'), { hostname: 'example.org' }),
        redirect(prefix('/secure-on-80'), { scheme: 'https', port: 80 }),
      ]),
    ],
    requests: [
      to('/port', 302, 'http://redirect-port:8083/port'),
      to('/port-and-host', 302, 'http://example.org:8083/port-and-host'),
      to('/port-and-status', 301, 'http://redirect-port:8083/port-and-status'),
      to('/port-and-host-and-status', 302, 'http://example.org:8083/port-and-host-and-status'),
      to('/well-known', 302, 'http://redirect-port/well-known', { port: 8080, host: 'redirect-port:8080' }),
      // Without a port of its own it keeps the Service's (HTTPRequestRedirectFilter.port).
      to('/host-only', 302, 'http://example.org:8080/host-only', { port: 8080, host: 'redirect-port:8080' }),
      to('/host-only', 302, 'http://example.org/host-only'),
      to('/secure-on-80', 302, 'https://redirect-port:80/secure-on-80'),
    ],
  },
  {
    name: 'redirect-scheme',
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'http-alt', port: 8080, targetPort: 8080 },
    ],
    objects: [
      httpRoute('redirect-scheme', [
        redirect(prefix('/scheme'), { scheme: 'https' }),
        redirect(prefix('/scheme-and-host'), { scheme: 'https', hostname: 'example.org' }),
        redirect(prefix('/scheme-and-status'), { scheme: 'https', statusCode: 301 }),
        redirect(prefix('/scheme-and-port'), { scheme: 'https', port: 8443 }),
        redirect(prefix('/all'), {
          scheme: 'https',
          hostname: 'example.org',
          port: 8443,
          statusCode: 301,
          ...newPrefix('/b'),
        }),
        redirect(prefix('/plain'), { scheme: 'http' }),
      ]),
    ],
    requests: [
      to('/scheme', 302, 'https://redirect-scheme/scheme'),
      // The well-known port of the new scheme, whatever the Service's.
      to('/scheme', 302, 'https://redirect-scheme/scheme', { port: 8080, host: 'redirect-scheme:8080' }),
      to('/scheme-and-host', 302, 'https://example.org/scheme-and-host'),
      to('/scheme-and-status', 301, 'https://redirect-scheme/scheme-and-status'),
      to('/scheme-and-port', 302, 'https://redirect-scheme:8443/scheme-and-port'),
      to('/all/of/it?a=b', 301, 'https://example.org:8443/b/of/it?a=b'),
      to('/plain', 302, 'http://redirect-scheme/plain', { port: 8080, host: 'redirect-scheme:8080' }),
    ],
  },
];
