import { expect, test } from 'vitest';
import { pack } from './any.ts';
import { durationOf } from './duration.ts';
import { ClusterLoadAssignment } from './gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from './gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from './gen/envoy/config/route/v3/route.ts';
import { HttpConnectionManager } from './gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { Secret } from './gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { SignResponse } from './gen/tulle/identity/v1/certificate.ts';
import { print, printAny } from './print.ts';

test('an Any shows its message, and so do the ones inside it', () => {
  const manager = pack(HttpConnectionManager, {
    requestTimeout: durationOf(0),
    routeSpecifier: {
      $case: 'rds',
      value: { routeConfigName: 'r', configSource: { configSourceSpecifier: { $case: 'ads', value: {} } } },
    },
  });
  const filter = { name: 'hcm', configType: { $case: 'typedConfig', value: manager } } as const;
  expect(printAny(pack(Listener, { name: 'l', filterChains: [{ filters: [filter] }] }))).toEqual({
    '@type': 'type.googleapis.com/envoy.config.listener.v3.Listener',
    name: 'l',
    filterChains: [
      {
        filters: [
          {
            name: 'hcm',
            typedConfig: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              requestTimeout: '0s',
              rds: { routeConfigName: 'r', configSource: { ads: {} } },
            },
          },
        ],
      },
    ],
  });
});

test('a default is left out, but not one that was set in a wrapper or a oneof', () => {
  const listener = Listener.create({ bindToPort: false, continueOnListenerFiltersTimeout: false });
  expect(print(Listener, listener)).toEqual({ bindToPort: false });
  const routes = RouteConfiguration.create({
    virtualHosts: [
      {
        routes: [
          {
            match: { pathSpecifier: { $case: 'prefix', value: '' } },
            action: {
              $case: 'route',
              value: { timeout: durationOf(1500), clusterSpecifier: { $case: 'cluster', value: '' } },
            },
          },
        ],
      },
    ],
  });
  expect(print(RouteConfiguration, routes)).toEqual({
    virtualHosts: [{ routes: [{ match: { prefix: '' }, route: { cluster: '', timeout: '1.500s' } }] }],
  });
});

test('enums are names, a Struct is the object itself, maps keep their keys, times are RFC 3339', () => {
  const assignment = ClusterLoadAssignment.create({
    endpoints: [
      {
        lbEndpoints: [
          {
            healthStatus: 'DRAINING',
            metadata: { filterMetadata: { 'tulle.dev': { tls: 'mesh', list: [1, null] } } },
          },
        ],
      },
    ],
  });
  expect(print(ClusterLoadAssignment, assignment)).toEqual({
    endpoints: [
      {
        lbEndpoints: [
          {
            healthStatus: 'DRAINING',
            metadata: { filterMetadata: { 'tulle.dev': { tls: 'mesh', list: [1, null] } } },
          },
        ],
      },
    ],
  });
  const signed = SignResponse.create({ notAfter: new Date('2030-01-02T03:04:05Z') });
  expect(print(SignResponse, signed)).toEqual({ notAfter: '2030-01-02T03:04:05.000Z' });
});

test.each([
  ['inline text', { $case: 'inlineString', value: 'PRIVATE' }],
  ['inline bytes', { $case: 'inlineBytes', value: Buffer.from('PRIVATE') }],
] as const)('a private key as %s is not shown', (_name, specifier) => {
  const chain = { specifier: { $case: 'inlineString', value: 'CHAIN' } } as const;
  const secret = pack(Secret, {
    name: 'default',
    type: { $case: 'tlsCertificate', value: { certificateChain: chain, privateKey: { specifier } } },
  });
  expect(printAny(secret)).toEqual({
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
    name: 'default',
    tlsCertificate: { certificateChain: { inlineString: 'CHAIN' }, privateKey: '[redacted]' },
  });
});

test('an Any that cannot be read says why', () => {
  expect(printAny({ typeUrl: 'type.googleapis.com/x.Y', value: Uint8Array.of(1) })).toEqual({
    '@type': 'type.googleapis.com/x.Y',
    '@error': 'Tulle does not know the type "type.googleapis.com/x.Y".',
    value: 'AQ==',
  });
});
