import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ControlPlaneSettings } from '../config/settings.ts';
import { directoryReviewer } from '../identity/directory-reviewer.ts';
import { directoryStore } from '../identity/directory-store.ts';
import type { RecordStore } from '../model/store.ts';
import { DirectorySource } from '../sources/directory/directory-source.ts';
import type { Mode } from './mode.ts';

/** A mesh from folders: manifests, authority and tokens are files. Sidecars read the roots where the authority is. */
export function directoryMode(settings: ControlPlaneSettings, store: RecordStore, log: Logger): Mode {
  const { directories, caDirectory, workloadTokens } = settings;
  const source = new DirectorySource({ directories, writer: store, clock: systemClock, log });
  return {
    authority: directoryStore(caDirectory),
    reviewer: directoryReviewer(workloadTokens, log),
    start: () => source.start(),
    changes: () => ({}),
    hasRead: () => true,
    replicas: () => [],
    publishRoots() {},
    stop() {
      source.stop();
      return Promise.resolve();
    },
  };
}
