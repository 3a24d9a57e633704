/**
 * Which BackendTLSPolicy a port of a Service has, and what one has become at each of its targets (GEP-1897, and GEP-713 for
 * conflicts). A policy that names the port goes before those of the whole Service; among equals the first that can be used.
 * If none can be used, the port is refused: a mistake in a policy must not lead to plaintext.
 */
import { lostTarget, missingTarget } from './link-policy.ts';
import { type BackendTls, type Key, key, type Policy, type Service, type ServicePort } from './model.ts';
import { precedes } from './precedes.ts';
import type { ConfigMapRecord, TlsPolicyRecord, TlsPolicyTarget } from './records.ts';

type ConfigMaps = (id: Key) => ConfigMapRecord | undefined;

interface Authorities {
  /** PEM; null: those that the client's runtime knows. '': none that can be used. */
  readonly certificates: string | null;
  readonly references: NonNullable<Policy['references']>;
}

/** What a policy says of the ports of its targets, whatever others say. */
export function resolveTlsPolicy(policy: TlsPolicyRecord, configMaps: ConfigMaps): BackendTls {
  const { certificates } = resolveAuthorities(policy, configMaps);
  const origin = `BackendTLSPolicy/${key(policy.namespace, policy.name)}`;
  if (policy.invalid !== '' || certificates === '') return { kind: 'refused', origin };
  const { hostname, subjectAltNames } = policy;
  return { kind: 'verified', origin, hostname, subjectAltNames, authorities: certificates };
}

/** References that cannot be used are left out of those that can, and said. */
function resolveAuthorities(policy: TlsPolicyRecord, configMaps: ConfigMaps): Authorities {
  const certificates: string[] = [];
  const unusable: string[] = [];
  for (const name of policy.authorities) {
    const id = key(policy.namespace, name);
    const held = configMaps(id);
    if (held !== undefined && held.authorities !== '') certificates.push(held.authorities);
    else unusable.push(`ConfigMap ${id} ${held?.problem ?? 'does not exist; create it or correct the name'}`);
  }
  const reason =
    policy.invalidKinds.length > 0 ? 'InvalidKind' : unusable.length > 0 ? 'InvalidCACertificateRef' : null;
  const message = [...policy.invalidKinds, ...unusable].join('. ');
  return {
    certificates: policy.wellKnown ? null : certificates.join(''),
    references:
      reason === null
        ? { reason: 'ResolvedRefs', message: 'All references are resolved' }
        : { reason, message },
  };
}

/** The policy of a port among all that target its Service. */
export function tlsPolicyOf(
  { name }: Pick<ServicePort, 'name'>,
  service: string,
  policies: readonly TlsPolicyRecord[],
  configMaps: ConfigMaps,
): TlsPolicyRecord | undefined {
  return (
    (name === '' ? undefined : winnerAt({ service, sectionName: name }, policies, configMaps)) ??
    winnerAt({ service, sectionName: '' }, policies, configMaps)
  );
}

function winnerAt(
  target: TlsPolicyTarget,
  policies: readonly TlsPolicyRecord[],
  configMaps: ConfigMaps,
): TlsPolicyRecord | undefined {
  let winner: TlsPolicyRecord | undefined;
  let usable = false;
  for (const policy of policies) {
    const { service, sectionName } = target;
    if (!policy.targets.some(other => other.service === service && other.sectionName === sectionName))
      continue;
    const can = resolveTlsPolicy(policy, configMaps).kind === 'verified';
    if (winner !== undefined && (usable !== can ? usable : precedes(winner, policy))) continue;
    winner = policy;
    usable = can;
  }
  return winner;
}

/** The ports of a Service with what policies say of them. */
export function linkPorts(
  service: Service,
  policies: readonly TlsPolicyRecord[],
  configMaps: ConfigMaps,
): Service {
  if (policies.length === 0) return service;
  const ports = service.ports.map(port => {
    const policy = tlsPolicyOf(port, service.name, policies, configMaps);
    return policy === undefined ? port : { ...port, backendTls: resolveTlsPolicy(policy, configMaps) };
  });
  return { ...service, ports };
}

/** `serviceOf`: as it is. `policiesOf`: all policies that target it. */
export function linkTlsPolicy(
  policy: TlsPolicyRecord,
  serviceOf: (id: Key) => Service | undefined,
  policiesOf: (id: Key) => readonly TlsPolicyRecord[],
  configMaps: ConfigMaps,
): Policy {
  const { namespace, name, uid, generation } = policy;
  const { certificates, references } = resolveAuthorities(policy, configMaps);
  const targets = policy.targets.map((target): Policy['targets'][number] => {
    const id = key(namespace, target.service);
    const service = serviceOf(id);
    if (service === undefined) return { ...target, reason: 'TargetNotFound', message: missingTarget(id) };
    const { sectionName } = target;
    if (sectionName !== '' && !service.ports.some(port => port.name === sectionName)) {
      const message = `spec.targetRefs has sectionName ${JSON.stringify(sectionName)}, but Service ${id} has no port of that name; use one of ${service.ports.map(port => JSON.stringify(port.name)).join(', ')}`;
      return { ...target, reason: 'TargetNotFound', message };
    }
    if (policy.invalid !== '') return { ...target, reason: 'Invalid', message: refusing(policy.invalid) };
    if (certificates === '')
      return { ...target, reason: 'NoValidCACertificate', message: refusing(references.message) };
    const where = sectionName === '' ? `Service ${id}` : `port ${sectionName} of Service ${id}`;
    const winner = winnerAt(target, policiesOf(id), configMaps);
    if (winner === policy || winner === undefined)
      return { ...target, reason: 'Accepted', message: `The policy is in force at ${where}` };
    return { ...target, reason: 'Conflicted', message: lostTarget(where, 'BackendTLSPolicy', winner) };
  });
  return { kind: 'BackendTLSPolicy', namespace, name, uid, generation, targets, references };
}

function refusing(message: string): string {
  return `${message}. Until then requests are refused`;
}

/** What is wrong with a policy when it is joined with others, without what the object's own problems say. */
export function tlsPolicyProblems({ targets, references }: Policy): string[] {
  const lost = targets.flatMap(({ reason, message }) =>
    reason === 'TargetNotFound' || reason === 'Conflicted' ? [message] : [],
  );
  return references === null || references.reason === 'ResolvedRefs' ? lost : [...lost, references.message];
}
