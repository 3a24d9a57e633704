import type { Service } from '../../model/model.ts';
import { serviceHost } from '../destination.ts';

/** The Service for metrics (`destination_service` and the two beside it); nothing where there is none. */
export function serviceMetadata(service: Service | null, clusterDomain: string): Record<string, string> {
  if (service === null) return {};
  return {
    service_host: serviceHost(service, clusterDomain),
    service_name: service.name,
    service_namespace: service.namespace,
  };
}
