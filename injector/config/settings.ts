/** Settings of the injector. docs/reference/injector.md is made from this table. */
import { type AnnotationValues, readAnnotations } from '../../api/annotations.ts';
import { injectorName, systemNamespace } from '../../api/installation.ts';
import { ports } from '../../api/ports.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { readSettings, type Setting, type Settings, SettingsError } from '../../runtime/settings.ts';

export const injectorSettings = {
  image: {
    env: 'TULLE_IMAGE',
    type: 'string',
    description: 'image of the sidecar and of its init container',
  },
  trustDomain: sidecarSettings.trustDomain,
  clusterDomain: sidecarSettings.clusterDomain,
  controlPlane: {
    ...sidecarSettings.controlPlane,
    description: 'host:port of the control plane, as sidecars see it',
  },
  podDefaults: {
    env: 'TULLE_POD_DEFAULTS',
    type: 'string',
    default: '{}',
    description:
      'annotations that hold for every pod whose namespace and own annotations do not say otherwise, JSON object of name and value',
  },
  servingNames: {
    env: 'TULLE_SERVING_NAMES',
    type: 'list',
    default: `${injectorName}.${systemNamespace}.svc`,
    description: 'DNS names that the serving certificate is valid for',
  },
  listenAddress: {
    env: 'TULLE_LISTEN_ADDRESS',
    type: 'string',
    default: '',
    description: 'address of the webhook and admin ports; empty for all, IPv6 included',
  },
  webhookPort: {
    env: 'TULLE_WEBHOOK_PORT',
    type: 'integer',
    default: String(ports.webhook),
    min: 0,
    max: 65_535,
    description: 'port of the admission webhooks, HTTPS',
  },
  adminPort: {
    env: 'TULLE_ADMIN_PORT',
    type: 'integer',
    default: String(ports.injectorAdmin),
    min: 0,
    max: 65_535,
    description: 'port of metrics, readiness and liveness',
  },
  kubeconfig: {
    env: 'KUBECONFIG',
    type: 'string',
    default: '',
    description: 'kubeconfig file; empty in a pod, where the service account is used',
  },
  drainSeconds: {
    env: 'TULLE_DRAIN_SECONDS',
    type: 'number',
    default: '5',
    min: 0,
    max: 3600,
    description:
      'seconds after SIGTERM in which reviews are still answered, until API servers know that this replica ends',
  },
  logLevel: { ...sidecarSettings.logLevel },
} as const satisfies Record<string, Setting>;

export type InjectorSettings = Settings<typeof injectorSettings> & {
  /** Defaults of the mesh for the settings of pods. */
  readonly meshDefaults: Partial<AnnotationValues>;
};

function meshDefaults(raw: string): Partial<AnnotationValues> {
  const name = injectorSettings.podDefaults.env;
  let given: unknown;
  try {
    given = JSON.parse(raw);
  } catch (error) {
    throw new SettingsError([`${name} is not JSON: ${(error as Error).message}`]);
  }
  if (typeof given !== 'object' || given === null || Object.values(given).some(v => typeof v !== 'string')) {
    throw new SettingsError([`${name} is ${raw}; use a JSON object of annotation names and strings`]);
  }
  const { values, problems, warnings } = readAnnotations('mesh', given as Record<string, string>);
  if (problems.length + warnings.length > 0) {
    throw new SettingsError([...problems, ...warnings].map(problem => `${name}: ${problem}`));
  }
  return values;
}

/** Reads the environment of the injector. Throws {@link SettingsError} with every problem found. */
export function readInjectorSettings(
  environment: Readonly<Record<string, string | undefined>>,
): InjectorSettings {
  const settings = readSettings(injectorSettings, environment);
  return { ...settings, meshDefaults: meshDefaults(settings.podDefaults) };
}
