/**
 * `node deploy/rootfs.ts DIR`: lays out the root filesystem of the image, without docker: Node.js, dist/, the programs
 * that write redirection rules, and the shared libraries that they need. There is no shell, no package manager, and
 * nothing else. deploy/Containerfile uses it as well. Needs `npm run build` first, and iptables (nft) on the machine.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { proxyUid } from '../api/ports.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));

/** One program that is called by many names; the nft variant works where the kernel has no legacy tables. */
const XTABLES = '/usr/sbin/xtables-nft-multi';
const XTABLES_NAMES = ['iptables-restore', 'iptables-save', 'ip6tables-restore', 'ip6tables-save'];
/** Extensions (`owner`, `REDIRECT`, `tcp`), found at this path by the program. */
const XTABLES_EXTENSIONS = [
  'libxt_owner.so',
  'libxt_tcp.so',
  'libxt_standard.so',
  'libxt_REDIRECT.so',
  'libipt_REDIRECT.so',
  'libip6t_REDIRECT.so',
];

function copy(root: string, from: string, to = from): void {
  const target = join(root, to);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(realpathSync(from), target, { recursive: true });
}

/** Paths of the shared libraries of a program, its dynamic loader included. */
function librariesOf(program: string): string[] {
  const output = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...output.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path);
}

function nodeBinary(): string {
  return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
}

/** Directory of the xtables extensions, which distributions put in different places. */
function extensionDirectory(): string {
  const found = ['/usr/lib', ...readdirSync('/usr/lib').map(name => `/usr/lib/${name}`)]
    .map(directory => `${directory}/xtables`)
    .find(existsSync);
  if (found === undefined)
    throw new Error('there are no xtables extensions on this machine; install iptables');
  return found;
}

function layOut(root: string): void {
  if (!existsSync(join(repository, 'dist/tulle.js')))
    throw new Error('there is no dist/; run `npm run build` first');
  if (!existsSync(XTABLES)) throw new Error(`${XTABLES} does not exist on this machine; install iptables`);
  for (const directory of [
    'etc',
    'proc',
    'sys',
    'dev',
    'run',
    'tmp',
    'var/run',
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
  ]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  for (const link of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${link}`, join(root, link));

  copy(root, nodeBinary(), '/usr/local/bin/node');
  copy(root, join(repository, 'dist'), '/app');
  copy(root, join(repository, 'LICENSE'), '/app/LICENSE');
  copy(root, XTABLES);
  for (const name of XTABLES_NAMES) symlinkSync('xtables-nft-multi', join(root, 'usr/sbin', name));
  const extensions = extensionDirectory();
  const present = new Set(readdirSync(extensions));
  for (const name of XTABLES_EXTENSIONS) if (present.has(name)) copy(root, `${extensions}/${name}`);
  for (const program of [nodeBinary(), XTABLES])
    for (const library of librariesOf(program)) copy(root, library);

  writeFileSync(join(root, 'etc/passwd'), `root:x:0:0::/:/\ntulle:x:${proxyUid}:${proxyUid}::/:/\n`);
  writeFileSync(join(root, 'etc/group'), `root:x:0:\ntulle:x:${proxyUid}:\n`);
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

const [root, ...more] = process.argv.slice(2);
if (root === undefined || more.length > 0) {
  console.error('usage: node deploy/rootfs.ts DIR');
  process.exit(2);
}
if (existsSync(root) && readdirSync(root).length > 0) {
  console.error(`rootfs: ${root} is not empty`);
  process.exit(2);
}
layOut(root);
