import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Logger } from '../../runtime/log.ts';
import type { ProvenWorkload, TokenReview, TokenReviewer } from './token-review.ts';

/** Namespaces, service accounts and pods, as Kubernetes names them. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Reviews tokens by a JSON file `[{namespace, serviceAccount, pod, tokenSha256}]`, which the launcher of the workloads
 * writes. The file is read again when it has changed; one that cannot be used leaves the last good one in force.
 */
export function directoryReviewer(file: string, log: Logger): TokenReviewer {
  let workloads: ReadonlyMap<string, ProvenWorkload> = new Map();
  let version = '';

  const refresh = async (): Promise<void> => {
    try {
      const { mtimeNs, size, ino } = await stat(file, { bigint: true });
      const found = `${mtimeNs} ${size} ${ino}`;
      if (found === version) return;
      const read = parseWorkloads(await readFile(file, 'utf8'));
      version = found;
      if (typeof read === 'string')
        log.error({ file, problem: read }, 'tokens not taken over; the last ones stay');
      else workloads = read;
    } catch (error) {
      log.error({ file, err: error }, 'file of tokens cannot be read; the last ones stay');
    }
  };

  return {
    async review(token): Promise<TokenReview> {
      await refresh();
      const workload = workloads.get(createHash('sha256').update(token).digest('hex'));
      return workload === undefined
        ? {
            kind: 'refused',
            reason: `the token belongs to none of the ${workloads.size} workloads in ${file}; the launcher must write its SHA-256 there`,
          }
        : { kind: 'proven', workload };
    },
  };
}

/** The workloads by the hash of their token, or what is wrong with the file. */
function parseWorkloads(text: string): Map<string, ProvenWorkload> | string {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`;
  }
  if (!Array.isArray(entries)) return 'it is not a JSON array of workloads';
  const workloads = new Map<string, ProvenWorkload>();
  for (const [index, entry] of entries.entries()) {
    const { namespace, serviceAccount, pod, tokenSha256 } = (entry ?? {}) as Record<string, unknown>;
    for (const [field, value] of Object.entries({ namespace, serviceAccount, pod })) {
      if (typeof value !== 'string' || !NAME.test(value))
        return `[${index}].${field} is ${JSON.stringify(value)}; use a Kubernetes name`;
    }
    if (typeof tokenSha256 !== 'string' || !SHA256.test(tokenSha256)) {
      return `[${index}].tokenSha256 is not a SHA-256 in lower-case hexadecimal digits`;
    }
    workloads.set(tokenSha256, { namespace, serviceAccount, pod } as ProvenWorkload);
  }
  return workloads;
}
