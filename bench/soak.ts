/**
 * Private memory of the two sidecars of a mutual TLS hop through ten minutes of 2,000 requests a second. Fails if it
 * grows after the first minute.
 *
 *   npx node bench/soak.ts [--seconds 600] [--save]
 */
import { parseArgs } from 'node:util';
import { say, withBackend } from './bench.ts';
import { generate } from './load/load.ts';
import { privateMemory } from './process.ts';
import { tulle } from './proxies/tulle.ts';
import { writeReadme } from './readme.ts';
import { circumstances, type Soak, saveResults } from './results.ts';
import { growth, NIL_MIB, soakReport } from './soak-report.ts';
import { quantiles } from './statistics.ts';

const SAMPLE_SECONDS = 10;
const LOAD = { kind: 'rate', protocol: 'http2', connections: 8, streams: 4, rate: 2000 } as const;

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    save: { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
const samples: Soak['samples'] = [];
let results: Soak | null = null;

// Its application is the server pod's own.
await withBackend([], async contextOf => {
  const { target, pids, stop } = await tulle.start('mtls', contextOf('soak'));
  const started = performance.now();
  const sample = (): void => {
    const [client, server] = pids.map(privateMemory);
    const at = Math.round((performance.now() - started) / 1000);
    samples.push([at, client, server]);
    say(`${at} s: ${client.toFixed(1)} / ${server.toFixed(1)} MiB`);
  };
  const timer = setInterval(sample, SAMPLE_SECONDS * 1000);
  try {
    const { requests, failed, latencies } = await generate(target, LOAD, seconds);
    const [p50, p99, p999] = quantiles(latencies, [0.5, 0.99, 0.999]);
    const latency = { p50, p99, p999 };
    results = { ...circumstances(), rate: LOAD.rate, seconds, requests, failed, latency, samples };
  } finally {
    clearInterval(timer);
    await stop();
  }
});

if (results !== null) {
  process.stdout.write(`${soakReport(results)}\n`);
  if (options.save) {
    saveResults('soak', results);
    writeReadme();
  }
  if (Math.max(...growth(results)) > NIL_MIB) process.exitCode = 1;
}
