/** Probes of the application that the sidecar makes for the kubelet (`TULLE_PROBES`): Kubernetes' own objects, by path. */

export type ProbeAction =
  | {
      readonly kind: 'http';
      readonly port: number;
      readonly path: string;
      readonly tls: boolean;
      /** Name and value, flat; names in lower case. */
      readonly fields: readonly string[];
    }
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string };

export interface ProbeConfig {
  readonly action: ProbeAction;
  readonly timeoutMs: number;
}

export type ProbeTable = ReadonlyMap<string, ProbeConfig>;

/** Kubernetes' default of timeoutSeconds. */
const DEFAULT_TIMEOUT_SECONDS = 1;

const PATH = /^\/probe\/[^/?#\s]+\/[^/?#\s]+$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VISIBLE = /^[\x21-\x7e\x80-\xff]*(?:[ \t]+[\x21-\x7e\x80-\xff]+)*$/;

type Fields = Readonly<Record<string, unknown>>;

/** Reads the table; appends what is wrong to `problems`. */
export function parseProbes(json: string, problems: string[]): ProbeTable {
  const table = new Map<string, ProbeConfig>();
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    problems.push(`TULLE_PROBES is not JSON: ${(error as Error).message}`);
    return table;
  }
  if (!isFields(parsed)) {
    problems.push('TULLE_PROBES is not an object; use paths and Kubernetes probes');
    return table;
  }
  for (const [path, probe] of Object.entries(parsed)) {
    const at = `TULLE_PROBES[${JSON.stringify(path)}]`;
    if (!PATH.test(path)) problems.push(`${at}: the path must be /probe/CONTAINER/KIND`);
    else if (!isFields(probe)) problems.push(`${at} is not an object; use a Kubernetes probe`);
    else {
      const config = parseProbe(probe, at, problems);
      if (config !== null) table.set(path, config);
    }
  }
  return table;
}

function parseProbe(probe: Fields, at: string, problems: string[]): ProbeConfig | null {
  const seconds = probe.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
  if (typeof seconds !== 'number' || !(seconds > 0 && seconds <= 86_400)) {
    problems.push(`${at}.timeoutSeconds is ${JSON.stringify(seconds)}; use 1 to 86400`);
    return null;
  }
  const action = parseAction(probe, at, problems);
  return action === null ? null : { action, timeoutMs: seconds * 1000 };
}

function parseAction(probe: Fields, at: string, problems: string[]): ProbeAction | null {
  const { httpGet, tcpSocket, grpc } = probe;
  if (isFields(httpGet)) return parseHttp(httpGet, `${at}.httpGet`, problems);
  if (isFields(tcpSocket)) {
    const port = parsePort(tcpSocket.port, `${at}.tcpSocket`, problems);
    return port === 0 ? null : { kind: 'tcp', port };
  }
  if (isFields(grpc)) {
    const port = parsePort(grpc.port, `${at}.grpc`, problems);
    const service = typeof grpc.service === 'string' ? grpc.service : '';
    return port === 0 ? null : { kind: 'grpc', port, service };
  }
  problems.push(`${at} has none of httpGet, tcpSocket and grpc`);
  return null;
}

function parseHttp(httpGet: Fields, at: string, problems: string[]): ProbeAction | null {
  const port = parsePort(httpGet.port, at, problems);
  const path = httpGet.path ?? '/';
  const scheme = httpGet.scheme ?? 'HTTP';
  const before = problems.length;
  if (typeof path !== 'string' || !/^[\x21-\x7e]*$/.test(path)) {
    problems.push(`${at}.path is ${JSON.stringify(path)}; use a path of visible ASCII characters`);
  }
  if (scheme !== 'HTTP' && scheme !== 'HTTPS') {
    problems.push(`${at}.scheme is ${JSON.stringify(scheme)}; use HTTP or HTTPS`);
  }
  const fields: string[] = [];
  for (const header of Array.isArray(httpGet.httpHeaders) ? httpGet.httpHeaders : []) {
    const { name, value } = (header ?? {}) as Fields;
    if (typeof name !== 'string' || typeof value !== 'string' || !TOKEN.test(name) || !VISIBLE.test(value)) {
      problems.push(`${at}.httpHeaders has the field ${JSON.stringify(name)}, which is not valid`);
    } else fields.push(name.toLowerCase(), value);
  }
  if (port === 0 || problems.length > before) return null;
  const target = path as string;
  return {
    kind: 'http',
    port,
    path: target.startsWith('/') ? target : `/${target}`,
    tls: scheme === 'HTTPS',
    fields,
  };
}

/** 0 after a problem. */
function parsePort(port: unknown, at: string, problems: string[]): number {
  if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  problems.push(`${at}.port is ${JSON.stringify(port)}; use a number from 1 to 65535`);
  return 0;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
