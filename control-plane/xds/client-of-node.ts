import { domain } from '../../api/installation.ts';
import { ports } from '../../api/ports.ts';
import type { WorkloadIdentity } from '../../api/spiffe.ts';
import type { Mesh } from '../model/model.ts';
import type { Client, Dialect } from '../translate/client.ts';
import type { ClientNode } from './discovery-request.ts';

/** Keys of `node.metadata` that the control plane reads; docs/xds.md describes them. */
const keys = {
  namespace: `${domain}/namespace`,
  security: `${domain}/security`,
  identityProvider: `${domain}/identity-provider`,
  rootsProvider: `${domain}/roots-provider`,
  outbound: `${domain}/outbound-listener`,
};

/**
 * What a client is sent, from its node. An authenticated client's namespace is that of its certificate; others are
 * believed, as they can be on loopback only.
 */
export function clientOf(node: ClientNode, identity: WorkloadIdentity | null, mesh: Mesh | null): Client {
  const workload = mesh?.workloads.get(node.id);
  return {
    dialect: dialectOf(node.userAgent),
    namespace: identity?.namespace ?? namespaceOf(node),
    zone: node.zone === '' ? (workload?.zone ?? '') : node.zone,
    tls: tlsOf(node),
    outbound: outboundOf(node),
  };
}

/** `node.user_agent_name`; an unknown one is taken for Envoy, whose resources are what the specification shows. */
function dialectOf(userAgent: string): Dialect {
  if (userAgent === 'tulle') return 'sidecar';
  return userAgent.startsWith('gRPC') ? 'grpc' : 'envoy';
}

function namespaceOf(node: ClientNode): string {
  const declared = text(node, keys.namespace);
  if (declared !== '') return declared;
  const slash = node.id.indexOf('/');
  return slash < 0 ? '' : node.id.slice(0, slash);
}

function tlsOf(node: ClientNode): Client['tls'] {
  if (text(node, keys.security) !== 'mtls') return null;
  const identity = text(node, keys.identityProvider) || 'default';
  return { identity, roots: text(node, keys.rootsProvider) || identity };
}

function outboundOf(node: ClientNode): Client['outbound'] {
  const match = /^\[?([0-9a-fA-F.:]+?)\]?:([0-9]{1,5})$/.exec(text(node, keys.outbound));
  if (match === null || Number(match[2]) > 65_535) return { address: '127.0.0.1', port: ports.outbound };
  return { address: match[1], port: Number(match[2]) };
}

function text(node: ClientNode, name: string): string {
  const value = node.metadata[name];
  return typeof value === 'string' ? value : '';
}
