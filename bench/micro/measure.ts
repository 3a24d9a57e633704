/** Nanoseconds and bytes allocated per call of a function on the hot path. */
import { getHeapStatistics } from 'node:v8';

const ROUNDS = 7;

export interface Measurement {
  /** Median of the rounds. */
  readonly ns: number;
  /** Least of the rounds: the compiler and its garbage show up in some, allocation by the function in all. */
  readonly bytes: number;
}

/** `run(i)` is called `calls` times per round; what it returns is used, so that it is not optimised away. */
export function measure(calls: number, run: (i: number) => unknown): Measurement {
  let sink: unknown = null;
  const times: number[] = [];
  const sizes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const allocated = getHeapStatistics().total_allocated_bytes;
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) sink = run(i);
    times.push(Number(process.hrtime.bigint() - start) / calls);
    sizes.push((getHeapStatistics().total_allocated_bytes - allocated) / calls);
  }
  if (sink === measure) throw new Error('unreachable');
  times.sort((a, b) => a - b);
  return { ns: times[ROUNDS >> 1], bytes: Math.min(...sizes) };
}

export function report(name: string, { ns, bytes }: Measurement): void {
  console.log(`${name.padEnd(44)} ${ns.toFixed(1).padStart(8)} ns   ${bytes.toFixed(2).padStart(7)} B`);
}
