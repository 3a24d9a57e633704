import type { RecordKind } from '../../model/records.ts';
import { type Fields, strings } from './fields.ts';

/** The part of an object's metadata that records are made from. */
export interface Metadata {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Unix seconds; 0 if unknown. */
  readonly created: number;
  readonly deleted: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A Kubernetes object as it came, with its metadata read. Sources guarantee that it has a name. */
export interface KubernetesObject {
  readonly kind: RecordKind;
  readonly metadata: Metadata;
  readonly fields: Fields;
}

/** What a converter answers: a record or null, and what is wrong with the object or parts of it. */
export interface Converted<R> {
  readonly record: R | null;
  readonly problems: readonly string[];
}

export function readMetadata(value: unknown, namespaceDefault: string): Metadata {
  const metadata = (value ?? {}) as Fields;
  const timestamp = metadata.creationTimestamp;
  const created = Date.parse(typeof timestamp === 'string' ? timestamp : '');
  return {
    namespace: typeof metadata.namespace === 'string' ? metadata.namespace : namespaceDefault,
    name: typeof metadata.name === 'string' ? metadata.name : '',
    uid: typeof metadata.uid === 'string' ? metadata.uid : '',
    generation: typeof metadata.generation === 'number' ? metadata.generation : 0,
    created: Number.isNaN(created) ? 0 : Math.floor(created / 1000),
    deleted: metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null,
    labels: strings(metadata.labels),
    annotations: strings(metadata.annotations),
  };
}
