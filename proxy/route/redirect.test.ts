import { describe, expect, it } from 'vitest';
import { redirectLocation } from './redirect.ts';
import { request } from './route.fixture.ts';
import type { RedirectConfig } from './route-config.ts';

const redirect = (overrides: Partial<RedirectConfig>): RedirectConfig => ({
  kind: 'redirect',
  status: 302,
  scheme: '',
  host: '',
  port: 0,
  path: null,
  ...overrides,
});

describe('redirectLocation', () => {
  it.each<[string, Partial<RedirectConfig>, string, number, string]>([
    [
      'only the host changes; the port of the Service stays',
      { host: 'other' },
      'echo:8080',
      8080,
      'http://other:8080/a?b',
    ],
    ['port 80 is left out for http', { host: 'other' }, 'echo', 80, 'http://other/a?b'],
    ['a scheme brings its well-known port', { scheme: 'https' }, 'echo:8080', 8080, 'https://echo/a?b'],
    ['port 443 is left out for https', { scheme: 'https', port: 443 }, 'echo', 80, 'https://echo/a?b'],
    ['port 443 stays for http', { port: 443 }, 'echo', 80, 'http://echo:443/a?b'],
    ['port 80 stays for https', { scheme: 'https', port: 80 }, 'echo', 80, 'https://echo:80/a?b'],
    ['the configured port wins', { scheme: 'https', port: 8443 }, 'echo', 80, 'https://echo:8443/a?b'],
    ['an IPv6 literal keeps its brackets', {}, '[::1]:8080', 8080, 'http://[::1]:8080/a?b'],
    ['an IPv6 literal without a port', {}, '[::1]', 80, 'http://[::1]/a?b'],
    [
      'the path is replaced and the query stays',
      { path: { kind: 'full', value: '/c' } },
      'echo',
      80,
      'http://echo/c?b',
    ],
    ['without a known port none is added', {}, 'echo', 0, 'http://echo/a?b'],
  ])('%s', (_, overrides, authority, port, location) => {
    expect(redirectLocation(redirect(overrides), request('/a?b', { authority }), port)).toBe(location);
  });
});
