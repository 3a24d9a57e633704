import { X509Certificate } from 'node:crypto';
import { certificatesOf, pemOf } from '../../../runtime/x509/pem.ts';
import type { ConfigMapRecord } from '../../model/records.ts';
import { fields, Problems } from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';

/** Where a BackendTLSPolicy expects certificates (BackendTLSPolicyValidation.caCertificateRefs). */
const certificatesKey = 'ca.crt';

/**
 * A ConfigMap, as far as BackendTLSPolicies read it. What is wrong with it is said of them, as it may be there for
 * something else.
 */
export function convertConfigMap({ fields: object }: KubernetesObject): Converted<ConfigMapRecord> {
  const data = fields(object.data, 'data', new Problems());
  const pem = data?.[certificatesKey];
  if (typeof pem !== 'string' || pem === '')
    return unusable(`has no data under the key ${certificatesKey}; put the certificates there, as PEM`);
  const certificates = certificatesOf(pem);
  if (certificates.length === 0)
    return unusable(`has no certificate in ${certificatesKey}; use PEM, -----BEGIN CERTIFICATE-----`);
  const broken = certificates.findIndex(der => !isCertificate(der));
  if (broken !== -1)
    return unusable(`has a certificate in ${certificatesKey} that cannot be read, number ${broken + 1}`);
  return { record: { authorities: pemOf(certificates), problem: '' }, problems: [] };
}

function unusable(problem: string): Converted<ConfigMapRecord> {
  return { record: { authorities: '', problem }, problems: [] };
}

/** Whether TLS can use it: what is no certificate makes OpenSSL refuse all that stand beside it. */
function isCertificate(der: Buffer): boolean {
  try {
    return new X509Certificate(der).raw.length > 0;
  } catch {
    return false;
  }
}
