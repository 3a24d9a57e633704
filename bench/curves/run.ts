/**
 * How cost grows with routes, endpoints, connections and metric series, from 1 to 10,000: of single functions, and of a
 * request through Tulle and Envoy.
 *
 *   npx node bench/curves/run.ts [--of routes|endpoints|"idle connections"|functions]... [--save]
 */
import { parseArgs } from 'node:util';
import { backendAnywhere } from '../addresses.ts';
import { backendListens } from '../backends/backend.ts';
import { say, withBackend } from '../bench.ts';
import { measure } from '../micro/measure.ts';
import { envoy } from '../proxies/envoy.ts';
import type { Proxy } from '../proxies/proxy.ts';
import { tulle } from '../proxies/tulle.ts';
import { writeReadme } from '../readme.ts';
import { type Curves, circumstances, type FunctionCurve, type ProxyCurve, saveResults } from '../results.ts';
import { functions, type MeasuredFunction } from './functions.ts';
import { type Growing, growing, measureAt } from './proxies.ts';
import { curvesReport } from './report.ts';

const SIZES = [1, 10, 100, 1000, 10_000];

const { values: options } = parseArgs({
  options: {
    of: { type: 'string', multiple: true },
    save: { type: 'boolean', default: false },
  },
});
const isChosen = (name: string): boolean => options.of?.includes(name) ?? true;

function functionCurve({ name, of, calls, prepare }: MeasuredFunction): FunctionCurve {
  const ns = SIZES.map(size => measure(calls(size), prepare(size)).ns);
  say(`${name}: ${ns.map(value => value.toFixed(0)).join(' ')} ns`);
  return { function: name, of, sizes: SIZES, ns };
}

type ContextOf = Parameters<Parameters<typeof withBackend>[1]>[0];

async function proxyCurve(proxy: Proxy, of: Growing, contextOf: ContextOf): Promise<ProxyCurve> {
  const curve: ProxyCurve = { proxy: proxy.name, of, sizes: SIZES, cpu: [], memory: [] };
  for (const size of SIZES) {
    const context = contextOf(`${proxy.name}-${of.replaceAll(' ', '-')}-${size}`);
    const { cpu, memory } = await measureAt(proxy, of, size, context);
    say(`${proxy.name}, ${size} ${of}: ${cpu.toFixed(1)} µs, ${memory.toFixed(1)} MiB`);
    curve.cpu.push(cpu);
    curve.memory.push(memory);
  }
  return curve;
}

const results: Curves = { ...circumstances(), functions: [], proxies: [] };
if (isChosen('functions')) results.functions = functions.map(functionCurve);
const listens = [...backendListens, { ...backendAnywhere, protocol: 'http1' as const }];
await withBackend(listens, async contextOf => {
  for (const of of growing.filter(isChosen)) {
    for (const proxy of [tulle, envoy]) {
      const reason = proxy.missing('http1');
      if (reason === null) results.proxies.push(await proxyCurve(proxy, of, contextOf));
      else say(`left out: ${proxy.name}: ${reason}`);
    }
  }
});
process.stdout.write(`${curvesReport(results)}\n`);
if (options.save) {
  saveResults('curves', results);
  writeReadme();
}
