/**
 * The demo: a mesh of processes on this machine. Without arguments it shows live what the mesh does; with `--once` it
 * plays a script by itself and fails if an observation does not hold. `--keep` leaves the folder with state and logs.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ports } from '../../api/ports.ts';
import { Load, type Target } from './load.ts';
import { showScreen } from './screen.ts';
import { type Observation, play } from './script.ts';
import { freeNetwork, type Programs, World } from './world.ts';

const ROOT = resolve(import.meta.dirname, '../..');

const TARGETS: Target[] = [
  { name: 'web', url: 'http://web.shop/', rate: 20 },
  { name: 'catalog', url: 'http://catalog.shop/items', rate: 150 },
  { name: 'orders', url: 'http://orders.shop/recent', rate: 60 },
];

/** The built programs if they are there (they start faster), else the sources. */
function programs(): Programs {
  const tulle = join(ROOT, 'dist/tulle.js');
  return {
    tulle: [existsSync(tulle) ? tulle : join(ROOT, 'cli/tulle.ts')],
    application: [join(import.meta.dirname, 'apps/main.ts')],
  };
}

function print(observation: Observation): void {
  process.stdout.write(
    `${observation.holds ? 'ok  ' : 'FAIL'}  ${observation.what}: ${observation.figure}\n`,
  );
}

async function playOnce(world: World, load: Load, manifests: string, started: number): Promise<boolean> {
  let broken = 0;
  const report = (observation: Observation): void => {
    print(observation);
    if (!observation.holds) broken++;
  };
  await load.send(TARGETS[1]);
  const first = performance.now() - started;
  const answered = load.tallies.get('catalog')?.statuses.get(200) === 1;
  report({
    what: 'first request through the mesh',
    figure: `${(first / 1000).toFixed(1)} s after start`,
    holds: answered,
  });
  load.start();
  await play({ world, load, manifests, report });
  process.stdout.write(broken === 0 ? 'all observations hold\n' : `${broken} observations do not hold\n`);
  return broken === 0;
}

// Each child adds a listener for the end of this process.
process.setMaxListeners(0);
const { values: options } = parseArgs({ options: { once: { type: 'boolean' }, keep: { type: 'boolean' } } });
const started = performance.now();
const directory = mkdtempSync(join(tmpdir(), 'tulle-demo-'));
let manifests = join(ROOT, 'examples/demo');
if (options.once === true) {
  // The script edits the manifests, so it works on a copy.
  cpSync(manifests, join(directory, 'manifests'), { recursive: true });
  manifests = join(directory, 'manifests');
}
const world = new World({ manifests, directory, programs: programs(), network: await freeNetwork() });

async function end(code: number): Promise<never> {
  await world.stop();
  if (code === 0 && options.keep !== true) rmSync(directory, { recursive: true, force: true });
  else process.stdout.write(`state and logs are in ${directory}\n`);
  process.exit(code);
}

process.on('SIGINT', () => void end(0));
process.on('SIGTERM', () => void end(0));
try {
  await world.start();
  const [pod] = world.podsOf('load');
  const load = new Load({ host: pod.address, port: ports.outbound }, TARGETS);
  if (options.once === true) {
    await end((await playOnce(world, load, manifests, started)) ? 0 : 1);
  } else {
    load.start();
    showScreen(world, load, relative(process.cwd(), manifests), process.stdout);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  await end(1);
}
