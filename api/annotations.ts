/**
 * Annotations and labels under `tulle.dev/`. The injector, validation and docs/reference/annotations.md are made from
 * this one table.
 */
import {
  type Parsed,
  type PortRange,
  parseCidrs,
  parseNumber,
  parsePorts,
  parseQuantity,
  parseWords,
} from './annotation-values.ts';
import { domain } from './installation.ts';
import { parseLimits } from './limits.ts';
import { serverFirstPorts } from './protocol.ts';
import { sidecarSettings } from './sidecar.ts';

/** `mesh`: as a default of the installation (`tulle install --pod-default`). */
export type AnnotationPlace = 'mesh' | 'namespace' | 'pod' | 'service' | 'route';

export interface Annotation {
  /** With the prefix. */
  name: string;
  /** Where it is read; a pod's wins over its namespace's, and that over the mesh's. */
  places: readonly AnnotationPlace[];
  /** It may also be given as a label of the same name. */
  label?: boolean;
  type:
    | 'choice'
    | 'integer'
    | 'number'
    | 'words'
    | 'ports'
    | 'cidrs'
    | 'cpu'
    | 'memory'
    | 'limits'
    | 'written';
  /** Of a choice, or of each of several words. */
  values?: readonly string[];
  /** Inclusive limits of numbers. */
  min?: number;
  max?: number;
  /** As it would be written; '' where absence means nothing. */
  default: string;
  /** What it becomes: a variable of the sidecar or of its init container, a field, or whoever reads it. */
  becomes: string;
  description: string;
}

/** Those that a gRPC client can retry as well (gRFC A44). */
export const grpcRetryStatuses = [
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
] as const;

const pods = ['namespace', 'pod'] as const;
const everywhere = ['mesh', ...pods] as const;

export const annotations = {
  inject: {
    name: `${domain}/inject`,
    places: pods,
    label: true,
    type: 'choice',
    values: ['enabled', 'disabled'],
    default: 'disabled',
    becomes: 'the decision of the injector',
    description:
      'whether pods get a sidecar. On a namespace the annotation is copied to the label, which the API server selects by.',
  },
  skipInboundPorts: {
    name: `${domain}/skip-inbound-ports`,
    places: everywhere,
    type: 'ports',
    default: '',
    becomes: 'TULLE_SKIP_INBOUND_PORTS',
    description: 'ports of the pod whose incoming connections go past the sidecar',
  },
  skipOutboundPorts: {
    name: `${domain}/skip-outbound-ports`,
    places: everywhere,
    type: 'ports',
    default: '',
    becomes: 'TULLE_SKIP_OUTBOUND_PORTS',
    description: 'destination ports to which outgoing connections go past the sidecar',
  },
  skipOutboundCidrs: {
    name: `${domain}/skip-outbound-cidrs`,
    places: everywhere,
    type: 'cidrs',
    default: '',
    becomes: 'TULLE_SKIP_OUTBOUND_CIDRS',
    description: 'networks to which outgoing connections go past the sidecar',
  },
  opaquePorts: {
    name: `${domain}/opaque-ports`,
    places: ['namespace', 'pod', 'service'],
    type: 'ports',
    default: '',
    becomes: 'the control plane',
    description: `ports whose connections are never inspected: no detection, no HTTP, but mTLS and TCP metrics. They add to ${[...serverFirstPorts].join(', ')}.`,
  },
  mtls: {
    name: `${domain}/mtls`,
    places: pods,
    type: 'choice',
    values: ['permissive', 'strict'],
    default: '',
    becomes: 'the control plane',
    description:
      'permissive: plaintext from outside the mesh is taken as well. strict: it is refused. Without it the mode of the mesh holds.',
  },
  logLevel: {
    name: `${domain}/log-level`,
    places: everywhere,
    type: 'choice',
    values: sidecarSettings.logLevel.values,
    default: sidecarSettings.logLevel.default,
    becomes: sidecarSettings.logLevel.env,
    description: 'lowest level that the sidecar logs',
  },
  accessLog: {
    name: `${domain}/access-log`,
    places: everywhere,
    type: 'choice',
    values: sidecarSettings.accessLog.values,
    default: sidecarSettings.accessLog.default,
    becomes: sidecarSettings.accessLog.env,
    description: 'which requests the sidecar logs: none, those that failed, or all',
  },
  drainSeconds: {
    name: `${domain}/drain-seconds`,
    places: everywhere,
    type: 'number',
    min: sidecarSettings.drainSeconds.min,
    max: sidecarSettings.drainSeconds.max,
    default: sidecarSettings.drainSeconds.default,
    becomes: sidecarSettings.drainSeconds.env,
    description:
      'seconds after the end of the application until connections that still work are cut off. The grace period of the pod also ends them.',
  },
  detectTimeoutMs: {
    name: `${domain}/detect-timeout-ms`,
    places: everywhere,
    type: 'integer',
    min: sidecarSettings.detectTimeoutMs.min,
    max: sidecarSettings.detectTimeoutMs.max,
    default: sidecarSettings.detectTimeoutMs.default,
    becomes: sidecarSettings.detectTimeoutMs.env,
    description: 'milliseconds to wait for the first bytes of a connection whose protocol is not declared',
  },
  limits: {
    name: `${domain}/limits`,
    places: everywhere,
    type: 'limits',
    default: '',
    becomes: sidecarSettings.limits.env,
    description:
      'limits of the sidecar other than their defaults, as maxHeadBytes=131072,mesh.maxHeaderListBytes=262144; the names are in limits.md. A header limit has to be raised at both ends',
  },
  proxyCpuRequest: {
    name: `${domain}/proxy-cpu-request`,
    places: everywhere,
    type: 'cpu',
    default: '20m',
    becomes: 'resources.requests.cpu',
    description: 'processor time reserved for the sidecar, in cores; none for no reservation',
  },
  proxyCpuLimit: {
    name: `${domain}/proxy-cpu-limit`,
    places: everywhere,
    type: 'cpu',
    default: 'none',
    becomes: 'resources.limits.cpu',
    description: 'most processor time of the sidecar, in cores; none for no limit',
  },
  proxyMemoryRequest: {
    name: `${domain}/proxy-memory-request`,
    places: everywhere,
    type: 'memory',
    default: '64Mi',
    becomes: 'resources.requests.memory',
    description: 'memory reserved for the sidecar; none for no reservation',
  },
  proxyMemoryLimit: {
    name: `${domain}/proxy-memory-limit`,
    places: everywhere,
    type: 'memory',
    default: '512Mi',
    becomes: 'resources.limits.memory',
    description: 'most memory of the sidecar; none for no limit',
  },
  rewriteProbes: {
    name: `${domain}/rewrite-probes`,
    places: everywhere,
    type: 'choice',
    values: ['enabled', 'disabled'],
    default: 'enabled',
    becomes: sidecarSettings.probes.env,
    description:
      'whether HTTP, TCP and gRPC probes are made by the sidecar for the kubelet, which has no certificate of the mesh. Disabled, they fail on ports that demand one.',
  },
  mergeMetrics: {
    name: `${domain}/merge-metrics`,
    places: everywhere,
    type: 'choice',
    values: ['enabled', 'disabled'],
    default: 'enabled',
    becomes: sidecarSettings.appMetrics.env,
    description:
      'whether the prometheus.io annotations are pointed at the sidecar, which then answers with its own and the application’s metrics. prometheus.io/scrape: "false" also prevents it.',
  },
  retryMethods: {
    name: `${domain}/retry-methods`,
    places: ['route'],
    type: 'choice',
    values: ['idempotent', 'any'],
    default: 'idempotent',
    becomes: 'the control plane',
    description:
      'methods whose failed requests the retry of a rule of an HTTPRoute repeats. A rule whose matches name a method repeats that one in any case, and so does a request with Idempotency-Key.',
  },
  retryGrpcStatuses: {
    name: `${domain}/retry-grpc-statuses`,
    places: ['route'],
    type: 'words',
    values: grpcRetryStatuses,
    default: '',
    becomes: 'the control plane',
    description:
      'gRPC statuses with which calls are repeated, of all rules of an HTTPRoute or GRPCRoute: Gateway API has no field for it',
  },
  retryAttempts: {
    name: `${domain}/retry-attempts`,
    places: ['route'],
    type: 'integer',
    min: 1,
    max: 100,
    default: '1',
    becomes: 'the control plane',
    description:
      'attempts after the first for tulle.dev/retry-grpc-statuses, in rules without a retry of their own',
  },
  status: {
    name: `${domain}/status`,
    places: ['pod'],
    type: 'written',
    default: '',
    becomes: '',
    description: 'written by the injector: version and containers that it added, as JSON',
  },
  injected: {
    name: `${domain}/injected`,
    places: ['pod'],
    label: true,
    type: 'written',
    default: '',
    becomes: 'the control plane',
    description: 'label written by the injector, "true": the pod has a sidecar, and peers speak mTLS to it',
  },
} as const satisfies Record<string, Annotation>;

export type AnnotationKey = keyof typeof annotations;

type Value<A extends Annotation> = A extends { type: 'words'; values: readonly (infer V)[] }
  ? readonly V[]
  : A['type'] extends 'ports'
    ? readonly PortRange[]
    : A['type'] extends 'cidrs'
      ? readonly string[]
      : A['type'] extends 'integer' | 'number'
        ? number
        : A extends { values: readonly (infer V)[]; default: infer D }
          ? V | (D extends '' ? '' : never)
          : string;

/** Every setting that a user can give by annotation. `''` means not given, for those without a default. */
export type AnnotationValues = {
  readonly [K in Exclude<AnnotationKey, 'status' | 'injected'>]: Value<(typeof annotations)[K]>;
};

function parse(annotation: Annotation, raw: string): Parsed<unknown> {
  switch (annotation.type) {
    case 'choice':
      return annotation.values?.includes(raw)
        ? { value: raw }
        : { remedy: (annotation.values ?? []).join(' or ') };
    case 'integer':
    case 'number':
      return parseNumber(raw, annotation.type === 'integer', annotation.min ?? 0, annotation.max ?? Infinity);
    case 'words':
      return parseWords(raw, annotation.values ?? []);
    case 'ports':
      return parsePorts(raw);
    case 'cidrs':
      return parseCidrs(raw);
    case 'cpu':
    case 'memory':
      return parseQuantity(raw, annotation.type);
    case 'limits': {
      const parsed = parseLimits(raw);
      return 'value' in parsed ? { value: raw } : parsed;
    }
    case 'written':
      return { value: raw };
  }
}

export interface AnnotationReading {
  /** What is given and valid. */
  values: Partial<AnnotationValues>;
  /** What is given and invalid: a sentence each, with annotation, value and remedy. */
  problems: string[];
  /** What is given and has no effect: a sentence each. */
  warnings: string[];
}

const byName: ReadonlyMap<string, [string, Annotation]> = new Map(
  Object.entries(annotations).map(([key, annotation]) => [annotation.name, [key, annotation]]),
);

/** Reads the annotations of one object. Those of others' prefixes are passed over. */
export function readAnnotations(
  place: AnnotationPlace,
  given: Readonly<Record<string, string>> | undefined,
): AnnotationReading {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const [name, raw] of Object.entries(given ?? {})) {
    if (!name.startsWith(`${domain}/`)) continue;
    const [key, annotation] = byName.get(name) ?? [];
    if (key === undefined || annotation === undefined) {
      warnings.push(`annotation ${name} is unknown and has no effect`);
    } else if (!(annotation.places as readonly string[]).includes(place)) {
      warnings.push(
        `annotation ${name} has no effect on a ${place}; put it on a ${annotation.places.join(' or ')}`,
      );
    } else if (annotation.type !== 'written') {
      const parsed = parse(annotation, raw);
      if ('value' in parsed) values[key] = parsed.value;
      else problems.push(`annotation ${name} is ${JSON.stringify(raw)}; use ${parsed.remedy}`);
    }
  }
  return { values: values as Partial<AnnotationValues>, problems, warnings };
}

/** The settings of a pod: later layers win (defaults, then mesh, namespace and pod). */
export function resolveAnnotations(...layers: readonly Partial<AnnotationValues>[]): AnnotationValues {
  const values: Record<string, unknown> = {};
  for (const [key, annotation] of Object.entries(annotations) as [string, Annotation][]) {
    if (annotation.type === 'written') continue;
    const parsed =
      annotation.default === '' && annotation.type === 'choice'
        ? { value: '' }
        : parse(annotation, annotation.default);
    values[key] = 'value' in parsed ? parsed.value : annotation.default;
  }
  return Object.assign(values, ...layers) as AnnotationValues;
}

export type { PortRange } from './annotation-values.ts';
