import { type AnnotationPlace, readAnnotations } from '../../../api/annotations.ts';
import type { MtlsMode } from '../../model/records.ts';
import type { Metadata } from './object.ts';

/** More ports than this in `opaque-ports` are refused: each of them is sent to every peer of the pod. */
const MOST_PORTS = 1000;

export interface MeshAnnotations {
  readonly mtls: MtlsMode;
  /** null: says nothing, so that the namespace's hold. */
  readonly opaquePorts: readonly number[] | null;
  readonly inject: boolean;
  readonly problems: readonly string[];
}

/** What the annotations of an object say to the control plane. */
export function readMeshAnnotations(place: AnnotationPlace, metadata: Metadata): MeshAnnotations {
  const { values, problems, warnings } = readAnnotations(place, metadata.annotations);
  const found = [...problems, ...warnings];
  let opaquePorts: number[] | null = null;
  if (values.opaquePorts !== undefined) {
    opaquePorts = [];
    for (const { from, to } of values.opaquePorts)
      for (let port = from; port <= to && opaquePorts.length <= MOST_PORTS; port++) opaquePorts.push(port);
    if (opaquePorts.length > MOST_PORTS) {
      found.push(`annotation tulle.dev/opaque-ports names more than ${MOST_PORTS} ports; use fewer`);
      opaquePorts = null;
    }
  }
  return {
    mtls: values.mtls ?? '',
    opaquePorts,
    inject: values.inject === 'enabled' || metadata.labels['tulle.dev/inject'] === 'enabled',
    problems: found,
  };
}
