import type { KubernetesObject } from '../convert/object.ts';
import { deriveEndpointSlices } from './derived-endpoints.ts';
import type { Manifest, ParsedFile } from './manifest-file.ts';

/**
 * The objects of all files as one set. An object that is in two files is taken from the first, by path. What changes is
 * written at `commit`.
 */
export class ManifestSet {
  readonly #files = new Map<string, readonly Manifest[]>();
  readonly #unreadable = new Map<string, readonly string[]>();
  readonly #duplicates = new Map<string, readonly string[]>();
  #written = new Map<string, Manifest>();
  readonly #write: (manifest: Manifest) => void;
  readonly #remove: (manifest: Manifest) => void;
  readonly #report: (file: string, problems: readonly string[]) => void;

  constructor(
    write: (manifest: Manifest) => void,
    remove: (manifest: Manifest) => void,
    report: (file: string, problems: readonly string[]) => void,
  ) {
    this.#write = write;
    this.#remove = remove;
    this.#report = report;
  }

  /** Whether objects of this file are in force. */
  holds(file: string): boolean {
    return (this.#files.get(file)?.length ?? 0) > 0;
  }

  replace(file: string, parsed: ParsedFile): void {
    if (parsed.manifests === null) {
      this.keep(file, parsed.problems);
      return;
    }
    this.#unreadable.delete(file);
    this.#files.set(file, parsed.manifests);
  }

  /** The file cannot be used now; what it held stays in force. */
  keep(file: string, problems: readonly string[]): void {
    const outcome = this.holds(file)
      ? 'its last good objects stay in force'
      : 'none of its objects is in force';
    this.#unreadable.set(
      file,
      problems.map(problem => `${problem} (${outcome})`),
    );
    if (!this.#files.has(file)) this.#files.set(file, []);
  }

  delete(file: string): void {
    this.#files.delete(file);
    this.#unreadable.delete(file);
    this.#report(file, []);
  }

  commit(): void {
    const manifests = this.#merge();
    for (const [id, manifest] of this.#derive(manifests)) manifests.set(id, manifest);
    const before = this.#written;
    this.#written = manifests;
    for (const [id, manifest] of before) if (!manifests.has(id)) this.#remove(manifest);
    for (const [id, manifest] of manifests) if (before.get(id) !== manifest) this.#write(manifest);
    for (const file of this.#files.keys())
      this.#report(file, [...(this.#unreadable.get(file) ?? []), ...(this.#duplicates.get(file) ?? [])]);
  }

  #merge(): Map<string, Manifest> {
    const manifests = new Map<string, Manifest>();
    this.#duplicates.clear();
    for (const [file, held] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const manifest of held) {
        const id = `${manifest.kind}/${manifest.key}`;
        const first = manifests.get(id);
        if (first === undefined) manifests.set(id, manifest);
        else {
          const problem = `${manifest.location}: ${manifest.kind} ${manifest.key} is defined at ${first.location} already, which is used; remove one of them`;
          this.#duplicates.set(file, [...(this.#duplicates.get(file) ?? []), problem]);
        }
      }
    }
    return manifests;
  }

  #derive(manifests: ReadonlyMap<string, Manifest>): Map<string, Manifest> {
    const of = (kind: Manifest['kind']): KubernetesObject[] =>
      [...manifests.values()].filter(manifest => manifest.kind === kind).map(manifest => manifest.object);
    const derived = new Map<string, Manifest>();
    for (const object of deriveEndpointSlices(of('Service'), of('Pod'), of('EndpointSlice'))) {
      const key = `${object.metadata.namespace}/${object.metadata.name}`;
      derived.set(`EndpointSlice/${key}`, { kind: 'EndpointSlice', key, object, location: '' });
    }
    return derived;
  }
}
