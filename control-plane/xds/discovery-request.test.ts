import { describe, expect, it } from 'vitest';
import {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from '../../api/xds/gen/envoy/service/discovery/v3/discovery.ts';
import { readDeltaRequest, readSotwRequest } from './discovery-request.ts';

const node = {
  id: 'default/pod',
  cluster: 'ignored',
  metadata: { 'tulle.dev/security': 'mtls', nested: { list: [1, true, null] } },
  locality: { region: 'r', zone: 'zone-a', subZone: 's' },
  userAgentName: 'tulle',
  clientFeatures: ['a', 'b'],
};
const read = {
  id: 'default/pod',
  userAgent: 'tulle',
  zone: 'zone-a',
  metadata: { 'tulle.dev/security': 'mtls', nested: { list: [1, true, null] } },
};

describe('reading requests by hand', () => {
  it('agrees with the generated encoder on DeltaDiscoveryRequest', () => {
    const message = DeltaDiscoveryRequest.fromPartial({
      node,
      typeUrl: 'type',
      resourceNamesSubscribe: ['a', 'b'],
      resourceNamesUnsubscribe: ['c'],
      initialResourceVersions: { d: '1', e: '' },
      responseNonce: 'nonce',
      errorDetail: { code: 13, message: 'no' },
    });
    expect(readDeltaRequest(DeltaDiscoveryRequest.encode(message).finish())).toEqual({
      node: read,
      typeUrl: 'type',
      nonce: 'nonce',
      subscribe: ['a', 'b'],
      unsubscribe: ['c'],
      initial: new Map([
        ['d', '1'],
        ['e', ''],
      ]),
      error: 'no',
    });
  });

  it('agrees with the generated encoder on DiscoveryRequest', () => {
    const message = DiscoveryRequest.fromPartial({
      node,
      typeUrl: 'type',
      versionInfo: 'ignored',
      resourceNames: ['a', 'b'],
      responseNonce: 'nonce',
    });
    expect(readSotwRequest(DiscoveryRequest.encode(message).finish())).toEqual({
      node: read,
      typeUrl: 'type',
      nonce: 'nonce',
      names: ['a', 'b'],
      error: null,
    });
  });

  it('tells a refusal without a text from an ACK', () => {
    const refusal = DiscoveryRequest.fromPartial({ typeUrl: 't', errorDetail: {} });
    expect(readSotwRequest(DiscoveryRequest.encode(refusal).finish()).error).toBe('');
  });

  it('skips the extensions of a node and fields that it does not know', () => {
    const extensions = Buffer.concat(
      Array.from({ length: 500 }, () => Buffer.from([0x4a, 3, 0x0a, 1, 0x61])),
    );
    const body = Buffer.concat([Buffer.from([0x0a, 1, 0x78]), extensions, Buffer.from([0x98, 0x06, 7])]);
    const length = Buffer.from([0x12, (body.length & 127) | 128, body.length >> 7]);
    expect(readSotwRequest(Buffer.concat([length, body])).node).toEqual({
      id: 'x',
      userAgent: '',
      zone: '',
      metadata: {},
    });
  });

  it('throws on bytes that end too early', () => {
    const whole = DiscoveryRequest.encode(DiscoveryRequest.fromPartial({ node, typeUrl: 'type' })).finish();
    for (const length of [1, 5, whole.length - 1]) {
      expect(() => readSotwRequest(whole.subarray(0, length))).toThrow(RangeError);
    }
  });
});
