/** Pods that follow which version answers them (test/apps/follow.ts), and what they say, as they say it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Turn } from '../../apps/follow.ts';

export class Followers {
  /** Of each pod the turns until now. */
  readonly turns = new Map<string, Turn[]>();
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  /** Reads the logs of the pods that there are now, `count` of them. */
  constructor(namespace: string, app: string, count: number) {
    const args = ['logs', '-f', '-n', namespace, '-l', `app=${app}`, '-c', 'app', '--tail=-1', '--prefix'];
    this.#child = spawn('kubectl', [...args, `--max-log-requests=${count}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (this.#child.stdout === null) throw new Error('kubectl has no output');
    createInterface(this.#child.stdout).on('line', line => this.#read(line));
  }

  #read(line: string): void {
    const [, pod, told] = /^\[pod\/([^/]+)\/app\] (\{.*\})$/.exec(line) ?? [];
    if (pod === undefined) return;
    const turns = this.turns.get(pod) ?? [];
    turns.push(JSON.parse(told) as Turn);
    this.turns.set(pod, turns);
    for (const check of this.#waiting) check();
  }

  /** Resolves with the newest turn of each pod, by its name, when all `count` have come to the version. */
  async allAt(version: string, count: number, seconds: number): Promise<ReadonlyMap<string, Turn>> {
    const newest = (): Map<string, Turn> =>
      new Map([...this.turns].flatMap(([pod, turns]) => turns.slice(-1).map(turn => [pod, turn])));
    const there = (): boolean =>
      [...newest().values()].filter(turn => turn.version === version).length === count;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      if (there()) resolve();
    };
    this.#waiting.add(check);
    const timer = setTimeout(() => {
      const told = [...newest().values()].map(turn => turn.version);
      reject(
        new Error(`not all of ${count} pods came to ${version} within ${seconds} s: ${told.join(', ')}`),
      );
    }, seconds * 1000);
    check();
    try {
      await promise;
      return newest();
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
  }

  close(): void {
    this.#child.kill();
  }
}
