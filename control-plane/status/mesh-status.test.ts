import { expect, test } from 'vitest';
import { supportedFeatures } from './mesh-status.ts';

/** What of pkg/features of Gateway API v1.6.1 Tulle does not do. */
const without = {
  'of a Gateway': [
    'Gateway',
    'GatewayPort8080',
    'GatewayStaticAddresses',
    'GatewayHTTPListenerIsolation',
    'GatewayInfrastructurePropagation',
    'GatewayAddressEmpty',
    'GatewayFrontendClientCertificateValidation',
    'GatewayFrontendClientCertificateValidationInsecureFallback',
    'ListenerSet',
    'TLSRouteModeTerminate',
    'TLSRouteModeMixed',
  ],
  'not asked for in a mesh (GEP-1294)': ['ReferenceGrant'],
  'not carried': ['UDPRoute'],
};

/** Names in pkg/features of v1.6.1. */
const FEATURES = 56;

test('the XMesh names every feature of the suite that Tulle has, sorted, and no other', () => {
  const others = Object.values(without).flat();
  expect(supportedFeatures).toEqual(supportedFeatures.toSorted());
  expect(new Set([...supportedFeatures, ...others]).size).toBe(FEATURES);
  expect(supportedFeatures.length + others.length).toBe(FEATURES);
  // XMeshStatus.supportedFeatures.
  expect(supportedFeatures.length).toBeLessThanOrEqual(64);
});
