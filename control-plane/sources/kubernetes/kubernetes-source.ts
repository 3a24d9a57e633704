/** The API server as a source: one reflector for each kind, all objects through the common converters. */
import { Backoff } from '../../../runtime/backoff.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { ApiClient } from '../../../runtime/kubernetes/api-client.ts';
import type { Logger } from '../../../runtime/log.ts';
import { type RecordKind, type RecordWriter, recordKinds } from '../../model/records.ts';
import { kindDefinitions, recordKey, writeObject } from '../convert/convert.ts';
import type { Fields } from '../convert/fields.ts';
import { readMetadata } from '../convert/object.ts';
import { collectionPath } from './collection-path.ts';
import { ConfigMapWatches } from './config-map-watches.ts';
import { Reflector } from './reflector.ts';
import { isEarlier } from './resource-version.ts';

export interface KubernetesSourceOptions {
  readonly api: Pick<ApiClient, 'get' | 'watch'>;
  readonly writer: RecordWriter;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Milliseconds until CRDs that are not installed are looked for again. Default 5000. */
  readonly absentMs?: number;
}

/** Pods that have come to their end are none of the mesh; a watch with this selector reports their end as a deletion. */
const RUNNING_PODS = { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' };

export class KubernetesSource {
  readonly #reflectors: ReadonlyMap<RecordKind, Reflector>;
  readonly #configMaps: ConfigMapWatches;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: KubernetesSourceOptions) {
    const configMaps = new ConfigMapWatches(options);
    this.#configMaps = configMaps;
    const followed = { ...options, writer: configMaps.following(options.writer) };
    const kinds = recordKinds.filter(kind => kind !== 'ConfigMap');
    this.#reflectors = new Map(kinds.map(kind => [kind, reflect(kind, followed)]));
  }

  /** The newest change of each kind that has been read, for {@link hasRead} of another replica. */
  changes(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#all()].map(([id, { changedAt }]) => [id, changedAt]));
  }

  /** Whether changes that another replica has read have been read here too. */
  hasRead(changes: Readonly<Record<string, string>>): boolean {
    return [...this.#all()].every(([id, { upTo }]) => !isEarlier(upTo, changes[id] ?? ''));
  }

  *#all(): Generator<[string, Reflector]> {
    yield* this.#reflectors;
    yield* this.#configMaps.reflectors();
  }

  /** Begins; the writer hears of each kind when its first list is complete. */
  start(): void {
    this.#running = Promise.all([...this.#reflectors.values()].map(reflector => reflector.run()));
  }

  async stop(): Promise<void> {
    for (const reflector of this.#reflectors.values()) reflector.stop();
    await Promise.all([this.#running, this.#configMaps.stop()]);
  }
}

function reflect(kind: RecordKind, options: KubernetesSourceOptions): Reflector {
  const { api, writer, clock, random, absentMs } = options;
  const definition = kindDefinitions[kind];
  return new Reflector({
    api,
    path: () => collectionPath(api, definition),
    ...(kind === 'Pod' ? { query: RUNNING_PODS } : {}),
    key: object => recordKey(kind, readMetadata((object as Fields).metadata, '')),
    onObject: object => {
      const fields = object as Fields;
      const metadata = readMetadata(fields.metadata, '');
      writeObject(writer, kind, { kind, metadata, fields }, '');
    },
    onDelete: key => writer.remove(kind, key),
    onSynced: () => writer.synced(kind),
    backoff: new Backoff(500, 30_000, random),
    random,
    clock,
    log: options.log.child({ kind }),
    ...(absentMs === undefined ? {} : { absentMs }),
  });
}
