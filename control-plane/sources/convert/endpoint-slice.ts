import { isIP } from 'node:net';
import { type Endpoint, key } from '../../model/model.ts';
import type { EndpointSliceRecord } from '../../model/records.ts';
import {
  type Fields,
  fields,
  integer,
  list,
  listOfFields,
  oneOf,
  Problems,
  portLimits,
  strings,
} from './fields.ts';
import type { Converted, KubernetesObject } from './object.ts';

/** An EndpointSlice. Slices that belong to no Service, and those of names instead of addresses, are not used. */
export function convertEndpointSlice({
  metadata,
  fields: object,
}: KubernetesObject): Converted<EndpointSliceRecord> {
  const problems = new Problems();
  const service = metadata.labels['kubernetes.io/service-name'];
  if (service === undefined || service === '') return { record: null, problems: [] };
  const type = oneOf(object.addressType, 'addressType', ['IPv4', 'IPv6', 'FQDN'], 'IPv4', problems);
  if (type === 'FQDN') problems.add('addressType', 'FQDN', 'use IPv4 or IPv6: endpoints need addresses');
  if (type === null || type === 'FQDN') return { record: null, problems: problems.list };

  const ports = readPorts(object, problems);
  const endpoints = listOfFields(object.endpoints, 'endpoints', problems).flatMap(({ item, path }) => {
    const endpoint = readEndpoint(item, path, metadata.namespace, problems);
    return endpoint === null ? [] : [endpoint];
  });
  return {
    record: { service: key(metadata.namespace, service), family: type, ports, endpoints },
    problems: problems.list,
  };
}

function readPorts(object: Fields, problems: Problems): { name: string; port: number }[] {
  return listOfFields(object.ports, 'ports', problems).flatMap(({ item, path }) => {
    const protocol = oneOf(item.protocol, `${path}.protocol`, ['TCP', 'UDP', 'SCTP'], 'TCP', problems);
    // discovery.k8s.io/v1: a port without a number means all ports; no Service port can be mapped to that.
    const port = integer(item.port, `${path}.port`, portLimits, 0, problems) ?? 0;
    return protocol === 'TCP' && port !== 0 ? [{ name: strings(item).name ?? '', port }] : [];
  });
}

/** discovery.k8s.io/v1 Endpoint: the addresses are fungible, so that the first is used. */
function readEndpoint(item: Fields, path: string, namespace: string, problems: Problems): Endpoint | null {
  const address = list(item.addresses, `${path}.addresses`, problems)[0];
  if (typeof address !== 'string' || isIP(address) === 0) {
    problems.add(`${path}.addresses[0]`, address, 'use an IP address');
    return null;
  }
  const conditions = fields(item.conditions, `${path}.conditions`, problems) ?? {};
  const target = fields(item.targetRef, `${path}.targetRef`, problems) ?? {};
  const pod =
    target.kind === 'Pod' && typeof target.name === 'string'
      ? key(typeof target.namespace === 'string' ? target.namespace : namespace, target.name)
      : '';
  return {
    address,
    ready: conditions.ready !== false && conditions.terminating !== true,
    pod,
    zone: typeof item.zone === 'string' ? item.zone : '',
  };
}
