import { clientsSpeakTls, portProtocol } from '../../../api/protocol.ts';
import type { Service, ServicePort } from '../../model/model.ts';
import { readMeshAnnotations } from './annotations.ts';
import {
  type Fields,
  fields,
  integer,
  list,
  listOfFields,
  oneOf,
  Problems,
  portLimits,
  text,
} from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';

/** `spec.trafficDistribution` values that keep traffic near the client. */
const NEAR: readonly unknown[] = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];

/** A Service. Ports of UDP and SCTP are not part of the mesh and are left out. */
export function convertService({ metadata, fields: object }: KubernetesObject): Converted<Service> {
  const problems = new Problems();
  const spec = fields(object.spec, 'spec', problems) ?? {};
  const type = oneOf(
    spec.type,
    'spec.type',
    ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
    'ClusterIP',
    problems,
  );
  const { opaquePorts, problems: annotationProblems } = readMeshAnnotations('service', metadata);
  const ports = readPorts(spec, opaquePorts ?? [], problems);
  if (type === null || ports === null) return { record: null, problems: problems.list };

  const headless = spec.clusterIP === 'None';
  const clientAffinity = spec.sessionAffinity === 'ClientIP';
  if (clientAffinity)
    problems.add(
      'spec.sessionAffinity',
      'ClientIP',
      'use sessionPersistence of a route or of an XBackendTrafficPolicy: sidecars choose endpoints without it',
    );
  return {
    record: {
      namespace: metadata.namespace,
      name: metadata.name,
      uid: metadata.uid,
      kind: type === 'ExternalName' ? 'external-name' : headless ? 'headless' : 'cluster-ip',
      addresses: type === 'ExternalName' ? [] : readAddresses(spec, object),
      ports,
      preferClose:
        NEAR.includes(spec.trafficDistribution) ||
        metadata.annotations['service.kubernetes.io/topology-mode']?.toLowerCase() === 'auto',
      clientAffinity,
      externalName:
        type === 'ExternalName' ? (text(spec.externalName, 'spec.externalName', problems) ?? '') : '',
      policy: null,
    },
    problems: [...problems.list, ...annotationProblems],
  };
}

/** Addresses that clients dial, the ClusterIPs first. */
function readAddresses(spec: Fields, object: Fields): string[] {
  const silent = new Problems();
  const status = fields(object.status, 'status', silent) ?? {};
  const balancer = fields(status.loadBalancer, 'status.loadBalancer', silent) ?? {};
  const all = [
    ...list(spec.clusterIPs, 'spec.clusterIPs', silent),
    spec.clusterIP,
    ...list(spec.externalIPs, 'spec.externalIPs', silent),
    ...listOfFields(balancer.ingress, 'status.loadBalancer.ingress', silent).map(({ item }) => item.ip),
  ];
  const addresses = all.filter(
    (address): address is string => typeof address === 'string' && address !== '' && address !== 'None',
  );
  return [...new Set(addresses)];
}

/** Null if a port cannot be read: a Service with half of its ports would cut off the clients of the others. */
function readPorts(spec: Fields, opaque: readonly number[], problems: Problems): ServicePort[] | null {
  const ports: ServicePort[] = [];
  const before = problems.list.length;
  for (const { item, path } of listOfFields(spec.ports, 'spec.ports', problems)) {
    const transport = oneOf(item.protocol, `${path}.protocol`, ['TCP', 'UDP', 'SCTP'], 'TCP', problems);
    const port = integer(item.port ?? 'missing', `${path}.port`, portLimits, 0, problems);
    const name = text(item.name, `${path}.name`, problems);
    const appProtocol = text(item.appProtocol, `${path}.appProtocol`, problems);
    const targetPort = readTargetPort(item.targetPort, `${path}.targetPort`, port ?? 0, problems);
    if (transport !== 'TCP' || port === null || name === null || appProtocol === null || targetPort === null)
      continue;
    const declaration = appProtocol === '' ? undefined : appProtocol;
    const declared = portProtocol(declaration, name, port);
    const protocol = declared === 'detect' && opaque.includes(port) ? 'opaque' : declared;
    const clientTls = clientsSpeakTls(declaration, name);
    ports.push({ port, name, targetPort, protocol, clientTls, backendTls: null });
  }
  return problems.list.length === before ? ports : null;
}

function readTargetPort(
  value: unknown,
  path: string,
  port: number,
  problems: Problems,
): number | string | null {
  if (value === undefined || value === null || value === 0) return port;
  if (typeof value === 'string' && /^[a-z0-9-]{1,15}$/.test(value)) return value;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  problems.add(path, value, 'use a port from 1 to 65535 or the name of a container port');
  return null;
}
