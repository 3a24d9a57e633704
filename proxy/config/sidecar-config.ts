/** What a sidecar is, from its environment: the only reader of it in the proxy. */

import { parseLimits } from '../../api/limits.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { formatSpiffe } from '../../api/spiffe.ts';
import { readSettings, type Settings, SettingsError } from '../../runtime/settings.ts';
import { type ControlPlaneTarget, parseTarget } from '../xds/control-connection.ts';
import { type ProbeTable, parseProbes } from './probe-table.ts';
import { type ProxyLimits, proxyLimits } from './proxy-limits.ts';

export interface InboundAddress {
  readonly address: string;
  readonly port: number;
  readonly applicationAddress: string;
  readonly applicationPort: number;
}

export interface OutboundAddress {
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly targetPort: number;
}

export interface SidecarConfig
  extends Omit<
    Settings<typeof sidecarSettings>,
    | 'controlPlane'
    | 'controlPlaneName'
    | 'inboundListeners'
    | 'outboundListeners'
    | 'probes'
    | 'appMetrics'
    | 'limits'
  > {
  /** Own SPIFFE ID. */
  readonly spiffe: string;
  readonly controlPlane: ControlPlaneTarget;
  readonly inboundListeners: readonly InboundAddress[];
  readonly outboundListeners: readonly OutboundAddress[];
  readonly probes: ProbeTable;
  /** null if the application has no metrics of its own. */
  readonly appMetrics: URL | null;
  readonly limits: ProxyLimits;
}

/**
 * Variables of Node and OpenSSL that weaken TLS for the whole process. Whoever can set them in the pod could read or
 * forge what the sidecar protects, so it does not start with them (RELIABILITY §4.4).
 */
const FORBIDDEN = ['NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_EXTRA_CA_CERTS', 'SSLKEYLOGFILE'];

/** Reads the settings. Throws a SettingsError with every problem. */
export function readSidecarConfig(environment: Readonly<Record<string, string | undefined>>): SidecarConfig {
  const problems: string[] = [];
  for (const name of FORBIDDEN) {
    if (environment[name] !== undefined) problems.push(`${name} is set, which would weaken TLS; remove it`);
  }
  let settings: Settings<typeof sidecarSettings>;
  try {
    settings = readSettings(sidecarSettings, environment);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new SettingsError([...problems, ...error.problems]);
  }
  const config = complete(settings, problems);
  if (problems.length > 0) throw new SettingsError(problems);
  return config;
}

function complete(settings: Settings<typeof sidecarSettings>, problems: string[]): SidecarConfig {
  const attempt = <T>(fallback: T, parse: () => T): T => {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push(error.message);
      return fallback;
    }
  };
  const { trustDomain, podNamespace: namespace, serviceAccount } = settings;
  return {
    ...settings,
    spiffe: attempt('', () => formatSpiffe({ trustDomain, namespace, serviceAccount })),
    controlPlane: attempt({ host: '', port: 0, serverName: '' }, () =>
      parseTarget(settings.controlPlane, settings.controlPlaneName),
    ),
    inboundListeners: settings.inboundListeners.flatMap(entry => {
      const pair = parsePair('TULLE_INBOUND_LISTENERS', entry, problems);
      if (pair === null) return [];
      const [{ host: address, port }, { host: applicationAddress, port: applicationPort }] = pair;
      return [{ address, port, applicationAddress, applicationPort }];
    }),
    outboundListeners: settings.outboundListeners.flatMap(entry => {
      const pair = parsePair('TULLE_OUTBOUND_LISTENERS', entry, problems);
      if (pair === null) return [];
      const [{ host: address, port }, { host, port: targetPort }] = pair;
      return [{ address, port, host, targetPort }];
    }),
    probes: parseProbes(settings.probes, problems),
    appMetrics: parseMetricsUrl(settings.appMetrics, problems),
    limits: readLimits(settings.limits, problems),
  };
}

interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, IPv6 in brackets; port 0 only where `allowZero`. */
function parseHostPort(text: string, allowZero: boolean): HostPort | null {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65_535 || (port === 0 && !allowZero)) return null;
  return { host: parts[1] ?? parts[2], port };
}

/** `HOST:PORT=HOST:PORT`; the first is listened on, and its port may be 0 for any. */
function parsePair(name: string, entry: string, problems: string[]): [HostPort, HostPort] | null {
  const [left = '', right = '', ...rest] = entry.split('=');
  const listen = parseHostPort(left, true);
  const target = parseHostPort(right, false);
  if (listen !== null && target !== null && rest.length === 0) return [listen, target];
  problems.push(`${name} has the entry ${JSON.stringify(entry)}; use ADDRESS:PORT=HOST:PORT`);
  return null;
}

function parseMetricsUrl(text: string, problems: string[]): URL | null {
  if (text === '') return null;
  const url = URL.parse(text);
  if (url?.protocol === 'http:' && url.username === '' && url.password === '') return url;
  problems.push(`TULLE_APP_METRICS is ${JSON.stringify(text)}; use http://HOST:PORT/PATH`);
  return null;
}

function readLimits(text: string, problems: string[]): ProxyLimits {
  const parsed = parseLimits(text);
  if ('value' in parsed) return proxyLimits(parsed.value);
  problems.push(`TULLE_LIMITS is ${JSON.stringify(text)}; use ${parsed.remedy}`);
  return proxyLimits();
}
