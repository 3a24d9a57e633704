/** Settings of `tulle init`, which writes the redirection rules of a pod. docs/reference/init.md is made from this table. */
import { type Parsed, type PortRange, parseCidrs, parsePorts } from '../../api/annotation-values.ts';
import { annotations } from '../../api/annotations.ts';
import { proxyUid } from '../../api/ports.ts';
import { sidecarSettings } from '../../api/sidecar.ts';
import { readSettings, type Setting, SettingsError } from '../../runtime/settings.ts';

export const redirectSettings = {
  inboundPort: sidecarSettings.inboundPort,
  outboundPort: sidecarSettings.outboundPort,
  adminPort: sidecarSettings.adminPort,
  proxyUid: {
    env: 'TULLE_PROXY_UID',
    type: 'integer',
    default: String(proxyUid),
    min: 1,
    max: 4_294_967_294,
    description: 'user of the sidecar, whose own connections are not redirected',
  },
  skipInboundPorts: {
    env: annotations.skipInboundPorts.becomes,
    type: 'string',
    default: '',
    description: annotations.skipInboundPorts.description,
  },
  skipOutboundPorts: {
    env: annotations.skipOutboundPorts.becomes,
    type: 'string',
    default: '',
    description: annotations.skipOutboundPorts.description,
  },
  skipOutboundCidrs: {
    env: annotations.skipOutboundCidrs.becomes,
    type: 'string',
    default: '',
    description: annotations.skipOutboundCidrs.description,
  },
  logLevel: { ...sidecarSettings.logLevel },
} as const satisfies Record<string, Setting>;

export interface Redirection {
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly adminPort: number;
  readonly proxyUid: number;
  readonly skipInboundPorts: readonly PortRange[];
  readonly skipOutboundPorts: readonly PortRange[];
  /** CIDR notation, IPv4 and IPv6. */
  readonly skipOutboundCidrs: readonly string[];
}

/** Reads the environment of `tulle init`. Throws {@link SettingsError} with every problem found. */
export function readRedirection(
  environment: Readonly<Record<string, string | undefined>>,
): Redirection & { logLevel: string } {
  const settings = readSettings(redirectSettings, environment);
  const problems: string[] = [];
  function take<T>(
    key: keyof typeof redirectSettings,
    raw: string,
    parsed: Parsed<readonly T[]>,
  ): readonly T[] {
    if ('value' in parsed) return parsed.value;
    problems.push(`${redirectSettings[key].env} is ${JSON.stringify(raw)}; use ${parsed.remedy}`);
    return [];
  }
  const { skipInboundPorts, skipOutboundPorts, skipOutboundCidrs, ...rest } = settings;
  const redirection = {
    ...rest,
    skipInboundPorts: take('skipInboundPorts', skipInboundPorts, parsePorts(skipInboundPorts)),
    skipOutboundPorts: take('skipOutboundPorts', skipOutboundPorts, parsePorts(skipOutboundPorts)),
    skipOutboundCidrs: take('skipOutboundCidrs', skipOutboundCidrs, parseCidrs(skipOutboundCidrs)),
  };
  if (problems.length > 0) throw new SettingsError(problems);
  return redirection;
}
