/** `tulle init`: writes the redirection rules into the pod's network and makes sure that they work. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { createLogger, type Logger } from '../../runtime/log.ts';
import { checkRedirection } from './check.ts';
import { checkTarget, type Family, missingRules, restoreInput } from './rules.ts';
import { type Redirection, readRedirection } from './settings.ts';

const programs = {
  ipv4: { restore: 'iptables-restore', save: 'iptables-save' },
  ipv6: { restore: 'ip6tables-restore', save: 'ip6tables-save' },
} as const;

/** Runs a program to its end; its output. Throws with what it wrote to standard error if it fails. */
async function run(program: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(program, args, { stdio: 'pipe' });
  const { promise: failed, reject } = Promise.withResolvers<never>();
  child.once('error', reject);
  const ended = new Promise<number | null>(resolve => child.once('close', resolve));
  child.stdin.on('error', () => undefined).end(input);
  const [output, complaint, code] = await Promise.race([
    Promise.all([text(child.stdout), text(child.stderr), ended]),
    failed,
  ]);
  if (code !== 0) throw new Error(`${program} failed (${code}): ${complaint.trim()}`);
  return output;
}

async function apply(redirection: Redirection, family: Family, log: Logger): Promise<void> {
  const { restore, save } = programs[family];
  const saved = (): Promise<string> => run(save, ['-t', 'nat'], '');
  const input = restoreInput(redirection, family, await saved());
  log.debug({ family, input }, 'rules');
  await run(restore, ['--noflush'], input);
  const missing = missingRules(redirection, family, await saved());
  if (missing.length > 0) throw new Error(`the ${family} rules are not in force: ${missing.join('; ')}`);
  log.info({ family }, 'redirection rules are written');
}

type Ipv6 = 'none' | 'local' | 'global';

/** What IPv6 addresses the pod has: none at all, only its own and link-local ones, or one that others can reach. */
function ipv6Addresses(interfaces: string): Ipv6 {
  const addresses = interfaces.split('\n').filter(line => line !== '');
  if (addresses.length === 0) return 'none';
  const local = addresses.every(line => line.startsWith('fe80') || line.endsWith(' lo'));
  return local ? 'local' : 'global';
}

async function applyIpv6(redirection: Redirection, log: Logger): Promise<void> {
  // Without IPv6 in the kernel the file does not exist.
  const addresses = ipv6Addresses(await readFile('/proc/net/if_inet6', 'utf8').catch(() => ''));
  if (addresses === 'none') {
    log.info('the pod has no IPv6');
    return;
  }
  try {
    await apply(redirection, 'ipv6', log);
  } catch (error) {
    if (addresses === 'global') throw error;
    log.warn({ err: error }, 'IPv6 is not redirected; the pod has no address that others could use');
  }
}

async function check(redirection: Redirection, log: Logger): Promise<void> {
  const target = checkTarget(redirection);
  const result = target === null ? null : await checkRedirection(redirection.outboundPort, target);
  if (result?.kind === 'not-redirected') {
    throw new Error(
      `a connection was not redirected although the rules are in force (${result.reason}); look for another mesh or a network plugin that bypasses iptables`,
    );
  }
  const outcome = result ?? { kind: 'impossible', reason: 'everything that could be tried is skipped' };
  log.info({ target, ...outcome }, 'redirection is checked');
}

/** Throws if the rules cannot be written or do not work: the pod must not start without its mesh. */
export async function main(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const { logLevel, ...redirection } = readRedirection(environment);
  const log = createLogger('init', logLevel);
  await apply(redirection, 'ipv4', log);
  await applyIpv6(redirection, log);
  await check(redirection, log);
}
