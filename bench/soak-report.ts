/** Whether memory grew in a soak, and its course as a table. */
import { figure, markdownTable } from './markdown.ts';
import type { Soak } from './results.ts';
import { spread } from './statistics.ts';

/** The first minute fills pools and compiles. */
const FIRST_SECONDS = 60;
/** Growth that the garbage collector's own rhythm makes and unmakes. */
export const NIL_MIB = 1;

/**
 * MiB by which the client's and the server's sidecar grew after the first minute: the most in the second half of that
 * time less the most in its first half. Peaks, because in between a sample is anywhere between two collections of
 * garbage, which lie minutes apart.
 */
export function growth({ samples }: Soak): [client: number, server: number] {
  const later = samples.filter(([at]) => at >= FIRST_SECONDS);
  const middle = later.length >> 1;
  if (middle === 0) return [Number.NaN, Number.NaN];
  const peak = (part: Soak['samples'], hop: 1 | 2): number => Math.max(...part.map(sample => sample[hop]));
  const rise = (hop: 1 | 2): number => peak(later.slice(middle), hop) - peak(later.slice(0, middle), hop);
  return [rise(1), rise(2)];
}

export function soakReport(soak: Soak): string {
  const { date, machine, rate, seconds, requests, failed, latency, samples } = soak;
  const [client, server] = growth(soak);
  const minutes = Math.ceil(seconds / 60);
  const rows = Array.from({ length: minutes }, (_, minute) => {
    const own = samples.filter(([at]) => at > minute * 60 && at <= (minute + 1) * 60);
    const column = (hop: 1 | 2): string => (own.length === 0 ? '' : figure(own.map(sample => sample[hop])));
    return [String(minute + 1), column(1), column(2)];
  });
  const nil = Math.max(client, server) <= NIL_MIB;
  const loaded = spread(samples.map(([, a, b]) => Math.max(a, b)));
  return [
    '### Soak',
    `${date}, ${machine}: ${rate} requests/s through two sidecars for ${seconds} s, ${requests} answered, ${failed} failed; ` +
      `p50 ${latency.p50.toFixed(2)} ms, p99 ${latency.p99.toFixed(2)} ms, p99.9 ${latency.p999.toFixed(2)} ms.`,
    `Growth of private memory after the first minute, from the peak of the first half of that time to the peak of the second: ` +
      `${client.toFixed(2)} MiB (client), ${server.toFixed(2)} MiB (server). ` +
      `Bar: nil, which is at most ${NIL_MIB} MiB here. It ${nil ? 'holds' : '**does not hold**'}. Most at any time: ${loaded.max.toFixed(1)} MiB.`,
    markdownTable(['minute', 'client, MiB', 'server, MiB'], rows),
  ].join('\n\n');
}
