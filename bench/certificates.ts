/** A root, and certificates with SPIFFE names, made with openssl. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface KeyPair {
  key: string;
  certificate: string;
}

/** What the proxies that are not Tulle are given; `pem` has key and certificate in one file. */
export interface Certificates {
  ca: string;
  client: KeyPair & { pem: string };
  server: KeyPair & { pem: string };
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

/** A certificate of service account `name` in namespace bench, as `<name>.key` and `<name>.crt` of the folder. */
export function issueCertificate(folder: string, issuer: KeyPair, name: string): KeyPair {
  const file = (extension: string): string => join(folder, `${name}.${extension}`);
  openssl('req', ...NEW_KEY, '-keyout', file('key'), '-out', file('csr'), '-subj', `/CN=${name}`);
  writeFileSync(
    file('ext'),
    `subjectAltName=URI:spiffe://cluster.local/ns/bench/sa/${name},DNS:${name}.bench\nextendedKeyUsage=serverAuth,clientAuth\n`,
  );
  const signed = ['-in', file('csr'), '-extfile', file('ext'), '-out', file('crt'), '-days', '2'];
  openssl('x509', '-req', ...signed, '-CA', issuer.certificate, '-CAkey', issuer.key, '-CAcreateserial');
  return { key: file('key'), certificate: file('crt') };
}

export function makeCertificates(folder: string): Certificates {
  const root = { key: join(folder, 'ca.key'), certificate: join(folder, 'ca.crt') };
  const files = ['-keyout', root.key, '-out', root.certificate];
  openssl('req', '-x509', ...NEW_KEY, ...files, '-subj', '/CN=bench', '-days', '2');
  const issue = (name: string): Certificates['client'] => {
    const pair = issueCertificate(folder, root, name);
    const pem = join(folder, `${name}.pem`);
    writeFileSync(pem, readFileSync(pair.certificate, 'utf8') + readFileSync(pair.key, 'utf8'));
    return { ...pair, pem };
  };
  return { ca: root.certificate, client: issue('client'), server: issue('server') };
}
