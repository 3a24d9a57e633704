import type { SubjectAltName } from '../../model/model.ts';
import type { TlsPolicyRecord, TlsPolicyTarget } from '../../model/records.ts';
import { type Fields, fields, listOfFields, Problems, requiredText, text } from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';

/** PreciseHostname and Hostname of Gateway API: names of DNS in lower case. */
const HOSTNAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;
/** AbsoluteURI of Gateway API, of what can stand in a certificate. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/;

/**
 * A BackendTLSPolicy (gateway.networking.k8s.io v1 and v1alpha3). With a mistake in what is verified no connection may be
 * opened, which its status says. `spec.options` are for implementations that know some; this one knows none.
 */
export function convertBackendTlsPolicy({
  metadata,
  fields: object,
}: KubernetesObject): Converted<TlsPolicyRecord> {
  const problems = new Problems();
  const { namespace, name, uid, generation, created } = metadata;
  const spec = fields(object.spec, 'spec', problems) ?? {};
  const targets = readTargets(spec.targetRefs, problems);
  const body = new Problems();
  const at = 'spec.validation';
  const validation = fields(spec.validation, at, body) ?? {};
  const hostname = requiredText(validation.hostname, `${at}.hostname`, body) ?? '';
  if (hostname !== '' && !isHostname(hostname, false))
    body.add(`${at}.hostname`, hostname, 'use a DNS name in lower case, without a wildcard');
  const subjectAltNames = readNames(validation.subjectAltNames, `${at}.subjectAltNames`, body);
  const found = readAuthorities(validation, at, body);
  problems.addAll(body);
  const [invalid = ''] = body.list;
  const own = { namespace, name, uid, generation, created };
  return {
    record: { ...own, targets, hostname, subjectAltNames, ...found, invalid },
    problems: problems.list,
  };
}

function isHostname(value: string, wildcard: boolean): boolean {
  const name = wildcard && value.startsWith('*.') ? value.slice(2) : value;
  return name.length <= 253 && HOSTNAME.test(name) && !ADDRESS.test(name);
}

function readTargets(value: unknown, problems: Problems): TlsPolicyTarget[] {
  const targets = new Map<string, TlsPolicyTarget>();
  for (const { item, path } of listOfFields(value, 'spec.targetRefs', problems)) {
    if (item.kind !== 'Service' || (item.group !== '' && item.group !== 'core')) {
      problems.add(path, { group: item.group, kind: item.kind }, 'use group "" and kind Service');
      continue;
    }
    const service = requiredText(item.name, `${path}.name`, problems);
    const sectionName = text(item.sectionName, `${path}.sectionName`, problems);
    // A section that cannot be read must not become the whole Service.
    if (service !== null && sectionName !== null)
      targets.set(`${service}/${sectionName}`, { service, sectionName });
  }
  return [...targets.values()];
}

function readNames(value: unknown, path: string, problems: Problems): SubjectAltName[] {
  return listOfFields(value, path, problems).flatMap(({ item, path: at }): SubjectAltName[] => {
    if (item.type === 'Hostname') {
      const name = requiredText(item.hostname, `${at}.hostname`, problems);
      if (name !== null && isHostname(name, true)) return [{ kind: 'hostname', value: name }];
      if (name !== null) problems.add(`${at}.hostname`, name, 'use a DNS name in lower case');
    } else if (item.type === 'URI') {
      const uri = requiredText(item.uri, `${at}.uri`, problems);
      if (uri !== null && URI.test(uri)) return [{ kind: 'uri', value: uri }];
      if (uri !== null) problems.add(`${at}.uri`, uri, 'use an absolute URI');
    } else problems.add(`${at}.type`, item.type, 'use Hostname or URI');
    return [];
  });
}

function readAuthorities(
  validation: Fields,
  at: string,
  problems: Problems,
): Pick<TlsPolicyRecord, 'wellKnown' | 'authorities' | 'invalidKinds'> {
  const authorities = new Set<string>();
  const invalidKinds: string[] = [];
  const refs = listOfFields(validation.caCertificateRefs, `${at}.caCertificateRefs`, problems);
  for (const { item, path } of refs) {
    if (item.kind !== 'ConfigMap' || (item.group !== '' && item.group !== 'core')) {
      const kind = JSON.stringify({ group: item.group, kind: item.kind });
      invalidKinds.push(`${path} is ${kind}; use group "" and kind ConfigMap`);
      continue;
    }
    const name = requiredText(item.name, `${path}.name`, problems);
    if (name !== null) authorities.add(name);
  }
  const wellKnown = text(validation.wellKnownCACertificates, `${at}.wellKnownCACertificates`, problems);
  if (wellKnown !== null && wellKnown !== '' && wellKnown !== 'System')
    problems.add(`${at}.wellKnownCACertificates`, wellKnown, 'use System: no other set is known');
  if ((wellKnown === '') !== refs.length > 0)
    problems.add(
      at,
      { caCertificateRefs: refs.length, wellKnownCACertificates: wellKnown },
      'use one of caCertificateRefs and wellKnownCACertificates',
    );
  return { wellKnown: wellKnown === 'System', authorities: [...authorities], invalidKinds };
}
