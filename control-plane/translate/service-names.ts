import type { Service } from '../model/model.ts';

/** DNS names of a Service, the full one first; the bare name only for clients of its own namespace. */
export function serviceNames(service: Service, clusterDomain: string, clientNamespace: string): string[] {
  const qualified = `${service.name}.${service.namespace}`;
  return [
    `${qualified}.svc.${clusterDomain}`,
    `${qualified}.svc`,
    qualified,
    ...(service.namespace === clientNamespace ? [service.name] : []),
  ];
}

/** The full name of a Service that may be written short; a name that is none comes back as it is. */
export function fullName(host: string, clusterDomain: string, clientNamespace: string): string {
  const labels = host.split('.');
  if (labels.length === 1 && clientNamespace !== '') return `${host}.${clientNamespace}.svc.${clusterDomain}`;
  if (labels.length === 2) return `${host}.svc.${clusterDomain}`;
  if (labels.length === 3 && labels[2] === 'svc') return `${host}.${clusterDomain}`;
  return host;
}

/** `host:port`, with an IPv6 address in brackets. */
export function authority(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
