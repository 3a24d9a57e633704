/** The command line of `tulle install`. */
import { parseArgs } from 'node:util';
import { readAnnotations } from '../../api/annotations.ts';
import { systemNamespace } from '../../api/installation.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { version } from '../../api/version.ts';
import { UsageError } from '../usage.ts';

export interface InstallOptions {
  image: string;
  /** Of the control plane and of the injector, each. */
  replicas: number;
  trustDomain: string;
  clusterDomain: string;
  /** What holds for pods without an annotation of their own or of their namespace. */
  mtls: 'permissive' | 'strict';
  logLevel: string;
  /** Annotations that hold for all pods. */
  podDefaults: Readonly<Record<string, string>>;
}

interface Option {
  default: string;
  metavar: string;
  description: string;
  multiple?: boolean;
  /** What is wrong with a value, as a phrase that follows "use"; null if nothing is. */
  remedy(value: string): string | null;
}

const oneOf = (values: readonly string[]) => (value: string) =>
  values.includes(value) ? null : values.join(' or ');

const DNS = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const domainName = (value: string): string | null => (DNS.test(value) ? null : 'a DNS name in lower case');

const options = {
  image: {
    default: `localhost/tulle:${version}`,
    metavar: 'IMAGE',
    description: 'image of every role, sidecars included',
    remedy: value => (/^\S+$/.test(value) ? null : 'the name of an image'),
  },
  replicas: {
    default: '2',
    metavar: 'N',
    description: 'replicas of the control plane and of the injector, each',
    remedy: value => (/^[1-9]\d?$/.test(value) ? null : 'an integer from 1 to 99'),
  },
  'trust-domain': {
    default: sidecarSettings.trustDomain.default,
    metavar: 'NAME',
    description: sidecarSettings.trustDomain.description,
    remedy: domainName,
  },
  'cluster-domain': {
    default: sidecarSettings.clusterDomain.default,
    metavar: 'NAME',
    description: 'DNS domain of the cluster',
    remedy: domainName,
  },
  mtls: {
    default: 'permissive',
    metavar: 'MODE',
    description: 'permissive or strict, for pods that have no tulle.dev/mtls',
    remedy: oneOf(['permissive', 'strict']),
  },
  'log-level': {
    default: 'info',
    metavar: 'LEVEL',
    description: `of the control plane and the injector: ${sidecarSettings.logLevel.values.join(', ')}`,
    remedy: oneOf(sidecarSettings.logLevel.values),
  },
  'pod-default': {
    default: '',
    metavar: 'ANNOTATION=VALUE',
    description: 'an annotation that holds for all pods, as tulle.dev/access-log=errors; may be repeated',
    multiple: true,
    remedy: value => (/^[^=]+=/.test(value) ? null : 'ANNOTATION=VALUE'),
  },
} as const satisfies Record<string, Option>;

type Name = keyof typeof options;

export function installUsage(): string {
  const entries = Object.entries(options) as [string, Option][];
  const left = entries.map(([name, { metavar }]) => `  --${name} ${metavar}`);
  const width = Math.max(...left.map(({ length }) => length));
  const lines = entries.map(([, { description, default: of }], i) => {
    const suffix = of === '' ? '' : ` (default ${of})`;
    return `${left[i].padEnd(width)}  ${description}${suffix}`;
  });
  return [
    'usage: tulle install [OPTION...] | kubectl apply -f -',
    '',
    `Prints the manifests of the control plane and the injector. The namespace is always ${systemNamespace}.`,
    '',
    ...lines,
  ].join('\n');
}

function podDefaults(given: readonly string[]): Record<string, string> {
  const pairs = given.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  const annotations = Object.fromEntries(pairs) as Record<string, string>;
  const { problems, warnings } = readAnnotations('mesh', annotations);
  const foreign = Object.keys(annotations).filter(name => !name.startsWith('tulle.dev/'));
  const wrong = [
    ...problems,
    ...warnings,
    ...foreign.map(name => `annotation ${name} is not one of tulle.dev`),
  ];
  if (wrong.length > 0) throw new UsageError(`--pod-default: ${wrong.join('; ')}`);
  return annotations;
}

/** Reads the command line; null if help is asked for. Throws a UsageError that names option, value and remedy. */
export function parseInstallOptions(args: readonly string[]): InstallOptions | null {
  const spec = Object.fromEntries(
    (Object.entries(options) as [string, Option][]).map(([name, { multiple = false }]) => [
      name,
      { type: 'string' as const, multiple },
    ]),
  );
  let values: Record<string, string | string[] | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { ...spec, help: { type: 'boolean', short: 'h' } },
      strict: true,
      allowPositionals: false,
    }) as { values: typeof values });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${installUsage()}`);
  }
  if (values.help === true) return null;

  const all = (name: Name): string[] => [values[name] ?? []].flat().map(String);
  for (const [name, { remedy }] of Object.entries(options) as [Name, Option][]) {
    for (const value of all(name)) {
      const use = remedy(value);
      if (use !== null) throw new UsageError(`--${name} is ${JSON.stringify(value)}; use ${use}`);
    }
  }
  const one = (name: Exclude<Name, 'pod-default'>): string => all(name).at(-1) ?? options[name].default;
  return {
    image: one('image'),
    replicas: Number(one('replicas')),
    trustDomain: one('trust-domain'),
    clusterDomain: one('cluster-domain'),
    mtls: one('mtls') as InstallOptions['mtls'],
    logLevel: one('log-level'),
    podDefaults: podDefaults(all('pod-default')),
  };
}
