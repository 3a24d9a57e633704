/**
 * Probes of the application, made by the sidecar for the kubelet: the kubelet has no certificate of the mesh, so a port
 * that demands one refuses it. HTTP, TCP and gRPC probes become HTTP probes of the sidecar's admin port, which makes the
 * original one; `exec` needs no network and stays.
 */

import { ports } from '../../api/ports.ts';
import type { Container, Handler, HttpGetAction, Probe } from '../pod.ts';

/** What the sidecar is to do, as in a Kubernetes probe; ports are numbers. */
export type ProbeTarget = Pick<Probe, 'httpGet' | 'tcpSocket' | 'grpc' | 'timeoutSeconds'>;

/** Path on the admin port to what is done for it. */
export type ProbeTable = Readonly<Record<string, ProbeTarget>>;

const probeKinds = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const hookKinds = ['postStart', 'preStop'] as const;

/** Kubernetes' own default of timeoutSeconds. */
const DEFAULT_TIMEOUT_SECONDS = 1;

/** A port number, or the number of the container port of that name; null if there is none. */
function resolvePort(port: HttpGetAction['port'], container: Container): number | null {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  return container.ports?.find(({ name }) => name === port)?.containerPort ?? null;
}

/** Longest that the sidecar gives a probe. */
const MAX_TIMEOUT_SECONDS = 86_400;

/** What the kubelet would have to encode or clean up first is left to it. */
function isPlain({ path = '/', httpHeaders = [] }: HttpGetAction): boolean {
  return (
    /^[\x21-\x7e]*$/.test(path) &&
    httpHeaders.every(({ value }) => /^[\x20-\x7e\t]*$/.test(value) && value === value.trim())
  );
}

/** The action with its port as a number; null if it stays as it is: `exec`, another host, or an unknown port. */
function target(action: Probe | Handler, container: Container): ProbeTarget | null {
  if (action.httpGet !== undefined) {
    const port = resolvePort(action.httpGet.port, container);
    return port === null || action.httpGet.host !== undefined || !isPlain(action.httpGet)
      ? null
      : { httpGet: { path: '/', scheme: 'HTTP', ...action.httpGet, port } };
  }
  if (action.tcpSocket !== undefined) {
    const port = resolvePort(action.tcpSocket.port, container);
    return port === null || action.tcpSocket.host !== undefined ? null : { tcpSocket: { port } };
  }
  return 'grpc' in action && action.grpc !== undefined ? { grpc: action.grpc } : null;
}

const isRewritten = (of: ProbeTarget, path: string): boolean =>
  of.httpGet?.port === ports.admin && of.httpGet.path === path;

/** What the API server would make of it, so that a second pass finds nothing to change. */
const adminGet = (path: string): HttpGetAction => ({ path, port: ports.admin, scheme: 'HTTP' });

export interface ProbeRewrite {
  container: Container;
  /** The originals, by path. */
  table: ProbeTable;
}

/**
 * Points the probes and HTTP lifecycle hooks of a container at the sidecar. `earlier`: originals of probes that an
 * earlier pass has pointed there. `hookSeconds`: longest that a lifecycle hook may take.
 */
export function rewriteProbes(container: Container, earlier: ProbeTable, hookSeconds: number): ProbeRewrite {
  const rewritten: Container = { ...container };
  const table: Record<string, ProbeTarget> = {};

  const redirect = (
    path: string,
    found: ProbeTarget | null,
    timeoutSeconds: number,
  ): HttpGetAction | null => {
    if (found === null) return null;
    const seconds = Math.min(Math.max(timeoutSeconds, 1), MAX_TIMEOUT_SECONDS);
    if (!isRewritten(found, path)) table[path] = { ...found, timeoutSeconds: seconds };
    else if (Object.hasOwn(earlier, path)) table[path] = earlier[path];
    else return null;
    return adminGet(path);
  };

  for (const kind of probeKinds) {
    const probe = container[kind];
    if (probe === undefined) continue;
    const seconds = probe.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
    const httpGet = redirect(`/probe/${container.name}/${kind}`, target(probe, container), seconds);
    if (httpGet === null) continue;
    const { tcpSocket: _tcp, grpc: _grpc, ...rest } = probe;
    rewritten[kind] = { ...rest, httpGet };
  }
  for (const kind of hookKinds) {
    const hook = container.lifecycle?.[kind];
    if (hook?.httpGet === undefined) continue;
    const httpGet = redirect(`/probe/${container.name}/${kind}`, target(hook, container), hookSeconds);
    if (httpGet !== null) rewritten.lifecycle = { ...rewritten.lifecycle, [kind]: { httpGet } };
  }
  return { container: rewritten, table };
}
