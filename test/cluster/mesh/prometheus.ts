/** A real Prometheus on this machine, set up as in a cluster, where pods are found by their annotations. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from '../harness/kubectl.ts';
import { type PodDiscovery, servePodDiscovery } from './pod-discovery.ts';

const annotation = '__meta_kubernetes_pod_annotation_prometheus_io_';

/** The rules by which Prometheus is set up wherever pods are found by their `prometheus.io/` annotations. */
const byAnnotations = [
  { source_labels: [`${annotation}scrape`], action: 'keep', regex: 'true' },
  {
    source_labels: [`${annotation}path`],
    action: 'replace',
    target_label: '__metrics_path__',
    regex: '(.+)',
  },
  {
    source_labels: ['__address__', `${annotation}port`],
    action: 'replace',
    regex: '([^:]+)(?::\\d+)?;(\\d+)',
    replacement: '$1:$2',
    target_label: '__address__',
  },
  { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
  { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
];

const configuration = (discoveryUrl: string): object => ({
  global: { scrape_interval: '1s', scrape_timeout: '1s' },
  scrape_configs: [
    {
      job_name: 'pods',
      http_sd_configs: [{ url: discoveryUrl, refresh_interval: '2s' }],
      relabel_configs: byAnnotations,
    },
  ],
});

/** Path of the program, or null if this machine has none. */
export function findPrometheus(): string | null {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    try {
      const path = join(directory, 'prometheus');
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one.
    }
  }
  return null;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

export interface Target {
  labels: Record<string, string>;
  health: string;
  lastError: string;
  scrapeUrl: string;
}

export class Prometheus {
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #url: string;
  readonly #discovery: PodDiscovery;

  private constructor(child: ChildProcess, directory: string, url: string, discovery: PodDiscovery) {
    this.#process = child;
    this.#directory = directory;
    this.#url = url;
    this.#discovery = discovery;
  }

  /** Scrapes the pods of one namespace every second, until it is stopped. */
  static async start(program: string, namespace: string): Promise<Prometheus> {
    const directory = mkdtempSync(join(tmpdir(), 'tulle-prometheus-'));
    const file = join(directory, 'prometheus.yaml');
    const discovery = await servePodDiscovery(namespace);
    writeFileSync(file, stringify(configuration(discovery.url)));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      program,
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${address}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      log += part;
    });
    const prometheus = new Prometheus(child, directory, `http://${address}`, discovery);
    try {
      await eventually('Prometheus is ready', async () => {
        if (child.exitCode !== null) throw new Error(log);
        return (await fetch(`http://${address}/-/ready`)).ok ? true : null;
      });
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  async #get<T>(path: string): Promise<T> {
    const answer = (await (await fetch(`${this.#url}/api/v1/${path}`)).json()) as {
      status: string;
      error?: string;
      data: T;
    };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }

  async targets(): Promise<Target[]> {
    return (await this.#get<{ activeTargets: Target[] }>('targets?state=active')).activeTargets;
  }

  /** Values of an instant query now, by the value of one label, '' if they have it not. */
  async by(label: string, query: string): Promise<Record<string, number>> {
    const { result } = await this.#get<{ result: Sample[] }>(`query?query=${encodeURIComponent(query)}`);
    return Object.fromEntries(result.map(({ metric, value }) => [metric[label] ?? '', Number(value[1])]));
  }

  /** The one value of an instant query now; null if there is none. */
  async value(query: string): Promise<number | null> {
    return Object.values(await this.by('', query))[0] ?? null;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill();
      await ended;
    }
    await this.#discovery.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
