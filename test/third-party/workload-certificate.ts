import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatSpiffe, type WorkloadIdentity } from '../../api/spiffe.ts';
import {
  type Authority,
  createAuthorityFiles,
  readAuthority,
} from '../../control-plane/identity/authority.ts';
import { issueWorkload } from '../../control-plane/identity/issue.ts';
import { pemOf } from '../../runtime/x509/pem.ts';
import { createRequest } from '../../runtime/x509/request.ts';

/** Files of a workload, as gRPC's `file_watcher` reads them. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
  read(): { certificate: Buffer; key: Buffer; roots: Buffer };
}

export function createAuthority(): Authority {
  const result = readAuthority(createAuthorityFiles(Date.now()), Date.now());
  if (result.kind === 'problem') throw new Error(result.problem);
  return result.authority;
}

/** A certificate as the control plane issues it, in a folder of its own. */
export function certify(authority: Authority, identity: WorkloadIdentity): CertificateFiles {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const names = [{ kind: 'uri', value: formatSpiffe(identity) } as const];
  const issued = issueWorkload(authority, createRequest(keys, names), identity, Date.now(), 3_600_000);
  if (issued.kind !== 'issued') throw new Error(issued.reason);
  const folder = mkdtempSync(join(tmpdir(), 'tulle-third-party-'));
  const files = {
    certificate: join(folder, 'tls.crt'),
    key: join(folder, 'tls.key'),
    roots: join(folder, 'ca.crt'),
  };
  writeFileSync(files.certificate, pemOf(issued.chain));
  writeFileSync(files.key, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(files.roots, authority.bundlePem);
  return {
    ...files,
    read: () => ({
      certificate: readFileSync(files.certificate),
      key: readFileSync(files.key),
      roots: readFileSync(files.roots),
    }),
  };
}
