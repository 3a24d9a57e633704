/**
 * HTTP where a Service's port is declared to carry something else: a rule of an HTTPRoute or GRPCRoute cannot be in force
 * there, and its requests must not be sent there in plaintext.
 */
import { serverFirstPorts } from '../../api/protocol.ts';
import { attachedPorts, type Parent, type ReferenceFault, type Services } from './attachment.ts';
import { key, type Service, type ServicePort } from './model.ts';

const remedy = 'if it speaks HTTP, set its appProtocol to http, kubernetes.io/h2c or grpc';

/** Why a route meets no request at a parent; null if there is a port where it may. */
export function opaqueParent(parent: Parent, services: Services): ReferenceFault | null {
  const service = services(key(parent.namespace, parent.name));
  if (service === undefined) return null;
  const ports = attachedPorts(parent, service);
  if (ports.length === 0 || ports.some(({ protocol }) => protocol !== 'opaque')) return null;
  return { reason: 'NoMatchingParent', message: `refers to ${describe(service, ports)}; ${remedy}` };
}

/**
 * Why a port of a Service cannot be a backend; null if it can: with a BackendTLSPolicy it is HTTP inside of TLS. A number that
 * is only known for a protocol in which servers speak first is no declaration.
 */
export function opaqueBackend(service: Service, port: ServicePort): ReferenceFault | null {
  const isDeclared = port.protocol === 'opaque' && !serverFirstPorts.has(port.port);
  if (!isDeclared || port.backendTls !== null) return null;
  return { reason: 'UnsupportedProtocol', message: `refers to ${describe(service, [port])}; ${remedy}` };
}

function describe({ namespace, name }: Service, ports: readonly ServicePort[]): string {
  const numbers = ports.map(({ port, name }) => `${port}${name === '' ? '' : ` (${name})`}`).join(', ');
  return `port ${numbers} of Service ${key(namespace, name)}, which carries bytes that are no HTTP by its appProtocol, its name, its number or an annotation`;
}
