import { expect, test } from 'vitest';
import { formatPorts, parseCidrs, parsePorts, parseQuantity, quantity } from './annotation-values.ts';
import { type Annotation, annotations, readAnnotations, resolveAnnotations } from './annotations.ts';

test('names are unique, and every default can be read', () => {
  const all: Annotation[] = Object.values(annotations);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  for (const { name, type, default: written, places } of all) {
    if (written === '' || type === 'written') continue;
    expect(readAnnotations(places[0], { [name]: written }).problems).toEqual([]);
  }
});

test('a valid annotation of each type is read', () => {
  const { values, problems, warnings } = readAnnotations('pod', {
    'tulle.dev/inject': 'enabled',
    'tulle.dev/skip-inbound-ports': '22, 8000-8100,',
    'tulle.dev/skip-outbound-cidrs': '10.0.0.0/8,192.0.2.7,fd00::/8',
    'tulle.dev/drain-seconds': '2.5',
    'tulle.dev/detect-timeout-ms': '250',
    'tulle.dev/limits': 'maxHeadBytes=131072,mesh.resets=200000',
    'tulle.dev/proxy-cpu-limit': '1.5',
    'tulle.dev/proxy-memory-request': 'none',
    'example.com/other': '?',
  });
  expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
  expect(values).toEqual({
    inject: 'enabled',
    skipInboundPorts: [
      { from: 22, to: 22 },
      { from: 8000, to: 8100 },
    ],
    skipOutboundCidrs: ['10.0.0.0/8', '192.0.2.7/32', 'fd00::/8'],
    drainSeconds: 2.5,
    detectTimeoutMs: 250,
    limits: 'maxHeadBytes=131072,mesh.resets=200000',
    proxyCpuLimit: '1.5',
    proxyMemoryRequest: '',
  });
});

test.each([
  ['inject', 'true', 'enabled or disabled'],
  ['skip-inbound-ports', '0', 'ports from 1 to 65535'],
  ['skip-inbound-ports', '80-70', 'ports from 1 to 65535'],
  ['skip-outbound-ports', '65536', 'ports from 1 to 65535'],
  ['skip-outbound-cidrs', '10.0.0.0/33', 'networks separated by commas'],
  ['skip-outbound-cidrs', 'example.com', 'networks separated by commas'],
  ['drain-seconds', '-1', 'a number from 0 to 3600'],
  ['detect-timeout-ms', '250.5', 'an integer from 10 to 60000'],
  ['detect-timeout-ms', '', 'an integer from 10 to 60000'],
  ['limits', 'maxHeadBytes=1', 'an integer from 1024 to 1048576 for maxHeadBytes'],
  ['proxy-cpu-request', '64Mi', 'a quantity as in 100m or 1.5, or none'],
  ['proxy-memory-limit', '-1', 'a quantity as in 64Mi or 1G, or none'],
])('tulle.dev/%s: %j is a problem that names the remedy', (name, raw, remedy) => {
  const { values, problems } = readAnnotations('pod', { [`tulle.dev/${name}`]: raw });
  expect(values).toEqual({});
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`annotation tulle.dev/${name} is ${JSON.stringify(raw)}; use ${remedy}`);
});

test('an unknown annotation, and one in the wrong place, are warnings', () => {
  expect(readAnnotations('pod', { 'tulle.dev/image': 'evil' }).warnings).toEqual([
    'annotation tulle.dev/image is unknown and has no effect',
  ]);
  expect(readAnnotations('service', { 'tulle.dev/mtls': 'strict' }).warnings).toEqual([
    'annotation tulle.dev/mtls has no effect on a service; put it on a namespace or pod',
  ]);
});

test('later layers win, and the rest are defaults', () => {
  const settings = resolveAnnotations({ logLevel: 'warn', accessLog: 'all' }, { logLevel: 'debug' });
  expect(settings).toMatchObject({
    logLevel: 'debug',
    accessLog: 'all',
    mtls: '',
    proxyCpuRequest: '20m',
    proxyCpuLimit: '',
    skipInboundPorts: [],
  });
});

test('ports, networks and quantities keep their meaning', () => {
  expect(parsePorts('')).toEqual({ value: [] });
  const parsed = parsePorts('80,8000-8100');
  expect('value' in parsed && formatPorts(parsed.value)).toBe('80,8000-8100');
  expect(parseCidrs('1.2.3.4/24/1')).toHaveProperty('remedy');
  expect(parseCidrs('fe80::1%eth0')).toHaveProperty('remedy');
  expect(parseQuantity('1.5Gi', 'memory')).toEqual({ value: '1.5Gi' });
  expect([quantity('100m'), quantity('64Mi'), quantity('2'), quantity('x')]).toEqual([
    0.1,
    64 * 2 ** 20,
    2,
    Number.NaN,
  ]);
});
