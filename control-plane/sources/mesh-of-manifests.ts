import { ManualClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import type { Mesh } from '../model/model.ts';
import type { Problem } from '../model/problems.ts';
import { recordKinds } from '../model/records.ts';
import { RecordStore } from '../model/store.ts';
import { writeObject } from './convert/convert.ts';
import { parseManifests } from './directory/manifest-file.ts';
import { ManifestSet } from './directory/manifest-set.ts';

export interface ManifestOptions {
  readonly trustDomain: string;
  readonly clusterDomain: string;
  readonly defaultMtls: 'permissive' | 'strict';
}

const defaults: ManifestOptions = {
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  defaultMtls: 'permissive',
};

/** The mesh that manifests stand for, at once: by the code of the directory source, without files and time. */
export function meshOfManifests(
  files: Readonly<Record<string, string>>,
  options: Partial<ManifestOptions> = {},
): { mesh: Mesh; problems: Problem[] } {
  const clock = new ManualClock();
  const store = new RecordStore({ ...defaults, ...options, clock, log: createLogger('manifests', 'silent') });
  const set = new ManifestSet(
    ({ kind, object, location }) => writeObject(store, kind, object, location),
    ({ kind, key }) => store.remove(kind, key),
    (file, problems) => store.report(file, problems),
  );
  for (const [file, text] of Object.entries(files)) set.replace(file, parseManifests(file, text));
  set.commit();
  for (const kind of recordKinds) store.synced(kind);
  clock.advance(1000);
  return { mesh: store.current as Mesh, problems: store.problems() };
}
