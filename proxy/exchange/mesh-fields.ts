/**
 * Fields that speak for the mesh. They are removed where a request enters, whoever sent them, and set again from the TLS
 * identity (DESIGN §3.5). Many servers take `_` in a name for `-`, so `x_forwarded_client_cert` is the same field to them.
 */
import { parseSpiffe } from '../../api/spiffe.ts';
import { truncate } from '../../runtime/truncate.ts';
import type { WorkloadLabels } from '../cluster/cluster-config.ts';
import type { FieldLines } from './stream.ts';

/** What clients and applications read. XFCC is Envoy's; `tulle-client-id` is the same identity alone. */
export const clientCertField = 'x-forwarded-client-cert';
export const clientIdField = 'tulle-client-id';
/** Between sidecars only: labels of the client's workload, for the server's metrics. */
export const sourceField = 'tulle-source';
/** Between sidecars only: `1.1` if the request came as HTTP/1.x; absent for HTTP/2. */
export const versionField = 'tulle-version';

const T = 116;
const X = 120;

function isMeshField(name: string): boolean {
  const first = name.charCodeAt(0);
  if (first === T) return name.startsWith('tulle-') || name.startsWith('tulle_');
  if (first !== X || name.length !== clientCertField.length || !name.endsWith('cert')) return false;
  return name === clientCertField || name.replaceAll('_', '-') === clientCertField;
}

/** Removes all mesh fields in place; used for requests, responses and trailers. */
export function stripMeshFields(fields: FieldLines): void {
  let i = 0;
  while (i < fields.length && !isMeshField(fields[i])) i += 2;
  if (i >= fields.length) return;
  let kept = i;
  for (; i < fields.length; i += 2) {
    if (isMeshField(fields[i])) continue;
    fields[kept] = fields[i];
    fields[kept + 1] = fields[i + 1];
    kept += 2;
  }
  truncate(fields, kept);
}

/** XFCC element (Envoy, HTTP header manipulation): who received the certificate and whose it is. */
export function forwardedClientCert(own: string, peer: string): string {
  return `By=${own};URI=${peer}`;
}

/** Value of {@link sourceField}. Label values hold no ';' (Kubernetes: [A-Za-z0-9._-]). */
export function formatSource(labels: WorkloadLabels): string {
  const { workload, namespace, app, version, canonicalService, canonicalRevision } = labels;
  return [workload, namespace, app, version, canonicalService, canonicalRevision].join(';');
}

const MAX_SOURCE_LENGTH = 512;

/**
 * Labels of a client: what it says of itself, and what its certificate proves. Without a word of it the labels are
 * empty, but for what the identity tells.
 */
export function parseSource(value: string, peer: string): WorkloadLabels {
  const parts = value.length > MAX_SOURCE_LENGTH ? [] : value.split(';');
  const identity = peer === '' ? null : parseSpiffe(peer);
  return {
    workload: parts[0] ?? '',
    namespace: identity === null ? (parts[1] ?? '') : identity.namespace,
    principal: peer,
    app: parts[2] ?? '',
    version: parts[3] ?? '',
    canonicalService: parts[4] ?? '',
    canonicalRevision: parts[5] ?? '',
  };
}
