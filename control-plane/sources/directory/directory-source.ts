/**
 * Manifests in folders as a source. The folders are scanned when the system reports a change, and regularly, as not every
 * file system reports. A change counts once it has stayed the same for a while: editors and deployment tools remove,
 * rename and write files in steps, and half of a step is not what the user meant.
 */
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Clock } from '../../../runtime/clock.ts';
import type { Logger } from '../../../runtime/log.ts';
import { type RecordWriter, recordKinds } from '../../model/records.ts';
import { writeObject } from '../convert/convert.ts';
import { type Scan, scanDirectory } from './directory-scan.ts';
import { parseManifests } from './manifest-file.ts';
import { ManifestSet } from './manifest-set.ts';

export interface DirectorySourceOptions {
  readonly directories: readonly string[];
  readonly writer: RecordWriter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds between scans without a reported change. Default 500. */
  readonly scanMs?: number;
  /** Milliseconds that a changed file must stay as it is. Default 40. */
  readonly settleMs?: number;
}

interface Pending {
  readonly stamp: string;
  readonly since: number;
}

export class DirectorySource {
  readonly #options: Required<DirectorySourceOptions>;
  readonly #set: ManifestSet;
  /** As far as it is applied. */
  #applied: Map<string, string> = new Map();
  /** Changes that have been seen, and since when they are as they are (clock). */
  #pending: Map<string, Pending> = new Map();
  readonly #read = new Set<string>();
  #watchers: FSWatcher[] = [];
  #synced = false;
  #stopped = false;
  #scanning = false;
  #again = false;
  #cancelTimer: () => void = () => {};

  constructor(options: DirectorySourceOptions) {
    const directories = options.directories.map(directory => resolve(directory));
    this.#options = { scanMs: 500, settleMs: 40, ...options, directories };
    const { writer } = this.#options;
    this.#set = new ManifestSet(
      ({ kind, object, location }) => writeObject(writer, kind, object, location),
      ({ kind, key }) => writer.remove(kind, key),
      (file, problems) => writer.report(file, problems),
    );
  }

  /** Ends when the first scan is applied; afterwards changes are followed until {@link stop}. */
  async start(): Promise<void> {
    for (const directory of this.#options.directories) this.#watch(directory);
    await this.#scan();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    for (const watcher of this.#watchers) watcher.close();
  }

  #watch(directory: string): void {
    try {
      const watcher = watch(directory, { recursive: true, persistent: false }, () => this.#wake());
      watcher.on('error', error =>
        this.#options.log.warn({ directory, err: error }, 'directory is only scanned'),
      );
      this.#watchers.push(watcher);
    } catch (error) {
      this.#options.log.warn({ directory, err: error }, 'directory is only scanned');
    }
  }

  #wake(): void {
    if (this.#stopped) return;
    if (this.#scanning) this.#again = true;
    else void this.#scan();
  }

  /** Never rejects: what goes wrong is reported, and tried again at the next scan. */
  async #scan(): Promise<void> {
    this.#cancelTimer();
    this.#scanning = true;
    try {
      do {
        this.#again = false;
        await this.#scanOnce();
      } while (this.#again && this.#pending.size === 0);
    } catch (error) {
      this.#options.log.error({ err: error }, 'scan failed');
    }
    this.#scanning = false;
    if (this.#stopped) return;
    const { clock, settleMs, scanMs } = this.#options;
    this.#cancelTimer = clock.after(this.#pending.size > 0 ? settleMs : scanMs, () => this.#wake());
  }

  async #scanOnce(): Promise<void> {
    const found = await this.#look();
    const { clock, settleMs } = this.#options;
    const pending = new Map<string, Pending>();
    const settled: string[] = [];
    for (const file of new Set([...found.keys(), ...this.#applied.keys()])) {
      const stamp = found.get(file) ?? 'gone';
      if (stamp === (this.#applied.get(file) ?? 'gone')) continue;
      const seen = this.#pending.get(file);
      const since = seen?.stamp === stamp ? seen.since : clock.now();
      if (!this.#synced || clock.now() - since >= settleMs) settled.push(file);
      else pending.set(file, { stamp, since });
    }
    this.#pending = pending;
    if (pending.size > 0) this.#options.log.debug({ files: [...pending.keys()] }, 'files are changing');
    for (const file of settled) await this.#apply(file, found.get(file));
    if (settled.length > 0) this.#set.commit();
    if (this.#synced || this.#read.size < this.#options.directories.length) return;
    this.#synced = true;
    for (const kind of recordKinds) this.#options.writer.synced(kind);
  }

  /** All files of all folders; those of a folder that cannot be read as they were. */
  async #look(): Promise<Scan> {
    const found = new Map<string, string>();
    for (const directory of this.#options.directories) {
      try {
        for (const [file, stamp] of await scanDirectory(directory)) found.set(file, stamp);
        this.#read.add(directory);
        this.#options.writer.report(directory, []);
      } catch (error) {
        const { code = 'unknown error' } = error as NodeJS.ErrnoException;
        this.#options.writer.report(directory, [
          `directory ${directory} of TULLE_DIRECTORIES cannot be read (${code}); create it or correct the setting`,
        ]);
        for (const [file, stamp] of this.#applied)
          if (file.startsWith(`${directory}/`)) found.set(file, stamp);
      }
    }
    return found;
  }

  async #apply(file: string, stamp: string | undefined): Promise<void> {
    if (stamp === undefined) {
      this.#applied.delete(file);
      this.#set.delete(file);
      return;
    }
    this.#applied.set(file, stamp);
    try {
      const text = await readFile(file, 'utf8');
      if (text.trim() === '' && this.#set.holds(file))
        this.#set.keep(file, [`${file} is empty; delete the file if its objects are to go`]);
      else this.#set.replace(file, parseManifests(file, text));
    } catch (error) {
      // Gone or not readable: the next scan sees a change.
      this.#applied.set(file, `unread ${String((error as NodeJS.ErrnoException).code)}`);
      this.#set.keep(file, [`${file} cannot be read (${(error as Error).message}); correct its permissions`]);
    }
  }
}
