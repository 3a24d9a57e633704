/**
 * The `prometheus.io/` annotations, by which Prometheus finds what to scrape: pointed at the sidecar, which answers with
 * its own and the application's metrics. The admin port is not redirected, so this works under strict mTLS.
 */

import { ports } from '../../api/ports.ts';
import type { Container } from '../pod.ts';

const names = {
  scrape: 'prometheus.io/scrape',
  port: 'prometheus.io/port',
  path: 'prometheus.io/path',
  scheme: 'prometheus.io/scheme',
} as const;

export interface ScrapeMerge {
  annotations: Readonly<Record<string, string>>;
  /** URL of the application's own metrics, '' if it has none. */
  appMetrics: string;
  warnings: string[];
}

const ours: Readonly<Record<string, string>> = {
  [names.scrape]: 'true',
  [names.port]: String(ports.admin),
  [names.path]: '/metrics',
};

/** Where Prometheus would have scraped the application, or why the sidecar cannot. */
function applicationTarget(
  annotations: Readonly<Record<string, string>>,
  containers: readonly Container[],
): { url: string } | { problem: string } {
  if (annotations[names.scrape] !== 'true') return { url: '' };
  if ((annotations[names.scheme] ?? 'http') !== 'http') {
    return { problem: `${names.scheme} is ${JSON.stringify(annotations[names.scheme])}` };
  }
  const declared = containers
    .flatMap(({ ports: of }) => of ?? [])
    .find(of => (of.protocol ?? 'TCP') === 'TCP');
  const given = annotations[names.port];
  const port =
    given === undefined ? declared?.containerPort : /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
  if (port === undefined) return { problem: `${names.port} is not set and no container declares a port` };
  if (!(port >= 1 && port <= 65_535)) return { problem: `${names.port} is ${JSON.stringify(given)}` };
  if (port === ports.admin) return { problem: `${names.port} is ${port}, the port of the sidecar` };
  const path = annotations[names.path] ?? '/metrics';
  return { url: `http://127.0.0.1:${port}${path.startsWith('/') ? '' : '/'}${path}` };
}

/**
 * `earlier`: the application's target that an earlier pass has found, null if there was none. Annotations stay as they
 * are if the pod is not to be scraped, or if its target is one that the sidecar cannot read.
 */
export function mergeMetrics(
  annotations: Readonly<Record<string, string>>,
  containers: readonly Container[],
  earlier: string | null,
): ScrapeMerge {
  if (annotations[names.scrape] === 'false') return { annotations, appMetrics: '', warnings: [] };
  if (earlier !== null && annotations[names.port] === String(ports.admin)) {
    return { annotations, appMetrics: earlier, warnings: [] };
  }
  const found = applicationTarget(annotations, containers);
  if ('problem' in found) {
    const warning = `metrics of the application are not merged with those of the sidecar: ${found.problem}`;
    return { annotations, appMetrics: '', warnings: [warning] };
  }
  const { [names.scheme]: _scheme, ...rest } = annotations;
  return { annotations: { ...rest, ...ours }, appMetrics: found.url, warnings: [] };
}
