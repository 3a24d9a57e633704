/** The reference pages, made from the tables in `api/`. `npm run reference` writes them; a test compares. */
import { annotations } from '../../api/annotations.ts';
import { failureHeader, failures } from '../../api/failure.ts';
import { type Limit, limits } from '../../api/limits.ts';
import { byteBuckets, durationBuckets, edgeLabels, metricNames, requestLabels } from '../../api/metrics.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { controlPlaneSettings } from '../../control-plane/config/settings.ts';
import { injectorSettings } from '../../injector/config/settings.ts';
import { redirectSettings } from '../../injector/redirect/settings.ts';
import type { Setting } from '../../runtime/settings.ts';

const MADE = '<!-- Made by `npm run reference` from the tables in api/. Edit those. -->';

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

function page(title: string, ...parts: readonly string[]): string {
  return `${[MADE, `# ${title}`, ...parts].join('\n\n')}\n`;
}

function annotationsPage(): string {
  const rows = Object.values(annotations).map(annotation => {
    const { name, places, type, default: value, becomes, description } = annotation;
    const values = 'values' in annotation ? annotation.values.map(code).join(', ') : type;
    const label = 'label' in annotation && annotation.label ? ' (also as a label)' : '';
    return [code(name), places.join(', ') + label, values, code(value), description, becomes];
  });
  return page(
    'Annotations',
    'A pod has the last word, then its namespace. An annotation under the prefix that is not in this table gives a warning when the pod is created; a value that is not valid refuses the pod, with the reason.',
    table(['annotation', 'on', 'values', 'default', 'meaning', 'becomes'], rows),
  );
}

function settingsPage(title: string, opening: string, settings: Readonly<Record<string, Setting>>): string {
  const rows = Object.values(settings).map(({ env, type, default: value, values, description }) => [
    code(env),
    values === undefined ? type : values.map(code).join(', '),
    value === undefined ? 'must be given' : code(value),
    description,
  ]);
  return page(title, opening, table(['variable', 'type', 'default', 'meaning'], rows));
}

function failuresPage(): string {
  const rows = Object.entries(failures).map(([name, { status, grpc, flag, sentence }]) => [
    code(name),
    String(status),
    String(grpc),
    code(flag),
    sentence,
  ]);
  return page(
    'Answers that a proxy makes itself',
    `Each carries the header \`${failureHeader}: CODE; sentence\`, which is missing on answers of applications; where a request is refused, the sentence says more exactly why. gRPC calls get status 200 with the gRPC status. The flag is Envoy's, in the label \`response_flags\` and in the access log.`,
    table(['code', 'HTTP status', 'gRPC status', 'flag', 'sentence'], rows),
  );
}

function limitsPage(): string {
  const scopes = { connections: 'connections', requests: 'requests', http1: 'HTTP/1.1', http2: 'HTTP/2' };
  const rows = (Object.entries(limits) as [string, Limit][]).map(([name, limit]) => [
    code(name),
    limit.of.map(scope => scopes[scope]).join(', '),
    String(limit.default),
    limit.mesh === undefined ? '' : String(limit.mesh),
    `${limit.min}–${limit.max}`,
    limit.description,
    limit.outcome,
    limit.uncounted ? 'no' : 'yes',
  ]);
  return page(
    'Limits of the sidecar',
    `Every bound on what a sidecar takes from others. Names that end in \`Bytes\` are octets, in \`Ms\` milliseconds; the others are counts.`,
    `Set them by the annotation ${code(annotations.limits.name)} of a pod, namespace or installation, which becomes ${code(sidecarSettings.limits.env)}: \`maxHeadBytes=131072,maxConcurrentStreams=500\`. \`mesh.NAME=NUMBER\` sets an HTTP/2 limit of connections between sidecars, whose default is in the column “mesh” where it differs. A request with large header fields meets three limits: \`maxHeadBytes\` or \`maxHeaderListBytes\` where it enters, and \`mesh.maxHeaderListBytes\` at the other sidecar.`,
    `Each time a limit is passed, ${code(`${metricNames.limits.name}{limit="NAME"}`)} counts it, where the last column says so. What breaks the protocol instead is in ${code(metricNames.protocolErrors.name)}: the request is answered 400, or the stream or connection ends with the code of RFC 9113, and nothing of it is forwarded. Answers of the sidecar carry \`${failureHeader}\`.`,
    table(['limit', 'of', 'default', 'mesh', 'range', 'what is bounded', 'who passes it', 'counted'], rows),
  );
}

function metricsPage(): string {
  const rows = Object.values(metricNames).map(({ name, type, help }) => [code(name), type, help]);
  return page(
    'Metrics of the sidecar',
    'On port 14020, path `/metrics`. The `istio_*` metrics are Istio’s standard metrics, with the same names, labels and meanings.',
    table(['metric', 'type', 'meaning'], rows),
    '## Labels',
    `On every \`istio_*\` metric: ${edgeLabels.map(code).join(', ')}.`,
    `On the request metrics also: ${requestLabels.map(code).join(', ')}.`,
    '## Buckets',
    `Durations, in milliseconds: ${durationBuckets.join(', ')}.`,
    `Sizes, in bytes: ${byteBuckets.join(', ')}.`,
  );
}

/** File name in docs/reference to its text. */
export function referencePages(): Record<string, string> {
  return {
    'annotations.md': annotationsPage(),
    'sidecar.md': settingsPage(
      'Settings of the sidecar',
      'Environment variables of `tulle sidecar`. The injector sets them; outside Kubernetes you do.',
      sidecarSettings,
    ),
    'control-plane.md': settingsPage(
      'Settings of the control plane',
      'Environment variables of `tulle control-plane`. `tulle install` sets those that a cluster needs.',
      controlPlaneSettings,
    ),
    'injector.md': settingsPage(
      'Settings of the injector',
      'Environment variables of `tulle injector`. `tulle install` sets those that a cluster needs.',
      injectorSettings,
    ),
    'init.md': settingsPage(
      'Settings of the redirection',
      'Environment variables of `tulle init`, the init container that writes the redirection rules of a pod. The injector sets them from annotations.',
      redirectSettings,
    ),
    'failures.md': failuresPage(),
    'limits.md': limitsPage(),
    'metrics.md': metricsPage(),
  };
}
