/**
 * SPIFFE names of workloads: `spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>`
 * (SPIFFE-ID specification §2; the path layout is the one that Istio and others use).
 */

export interface WorkloadIdentity {
  trustDomain: string;
  namespace: string;
  serviceAccount: string;
}

// SPIFFE-ID §2.1: trust domain [a-z0-9.-_]; §2.2: path segments [a-zA-Z0-9.-_]. Kubernetes names are narrower.
const SPIFFE =
  /^spiffe:\/\/([a-z0-9][a-z0-9._-]{0,254})\/ns\/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\/sa\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;

/** Writes the SPIFFE ID of a workload. Throws a RangeError if a part is not a valid name. */
export function formatSpiffe(identity: WorkloadIdentity): string {
  const uri = `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
  if (parseSpiffe(uri) === null)
    throw new RangeError(`not a SPIFFE ID of a workload: ${JSON.stringify(uri)}`);
  return uri;
}

/** Reads a SPIFFE ID of a workload; null if it is anything else. */
export function parseSpiffe(uri: string): WorkloadIdentity | null {
  const parts = SPIFFE.exec(uri);
  return parts === null ? null : { trustDomain: parts[1], namespace: parts[2], serviceAccount: parts[3] };
}
