/** A root, and a client and server certificate with SPIFFE names, for the proxies that are not Tulle. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  ca: string;
  /** Key and certificate of the client and of the server; `pem` has both in one file. */
  client: { key: string; certificate: string; pem: string };
  server: { key: string; certificate: string; pem: string };
}

export function makeCertificates(folder: string): Certificates {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
    '-subj',
    '/CN=bench',
    '-days',
    '2',
  );
  const issue = (name: string): { key: string; certificate: string; pem: string } => {
    const key = file(`${name}.key`);
    const certificate = file(`${name}.crt`);
    openssl('req', ...newKey, '-keyout', key, '-out', file(`${name}.csr`), '-subj', `/CN=${name}`);
    writeFileSync(
      file(`${name}.ext`),
      `subjectAltName=URI:spiffe://cluster.local/ns/bench/sa/${name},DNS:${name}.bench\nextendedKeyUsage=serverAuth,clientAuth\n`,
    );
    const sign = [
      'x509',
      '-req',
      '-in',
      file(`${name}.csr`),
      '-CA',
      file('ca.crt'),
      '-CAkey',
      file('ca.key'),
    ];
    openssl(...sign, '-CAcreateserial', '-days', '2', '-extfile', file(`${name}.ext`), '-out', certificate);
    const pem = file(`${name}.pem`);
    writeFileSync(pem, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
    return { key, certificate, pem };
  };
  return { ca: file('ca.crt'), client: issue('client'), server: issue('server') };
}
