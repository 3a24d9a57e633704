/** What the clients that are there cannot be told, by object: gathered from the resources that somebody subscribes to. */
import type { Dialect } from '../translate/client.ts';
import type { Omission } from '../translate/omission.ts';

/** Told what clients do in another way than an object says, a sentence each; none when that is over. */
export type OnOmission = (subject: string, sentences: readonly string[]) => void;

const names: Readonly<Record<Dialect, string>> = {
  sidecar: 'Sidecars',
  envoy: 'Envoy',
  grpc: 'gRPC clients',
};

interface Source {
  readonly dialect: Dialect;
  readonly omitted: readonly Omission[];
}

export class OmissionList {
  /** By object, and there by the resource that lacks something. */
  readonly #sources = new Map<string, Map<string, Source>>();
  readonly #subjects = new Map<string, ReadonlySet<string>>();
  readonly #said = new Map<string, string>();
  readonly #onChange: OnOmission;

  constructor(onChange: OnOmission) {
    this.#onChange = onChange;
  }

  /** Takes the place of what the resource lacked before. */
  set(resource: string, dialect: Dialect, omitted: readonly Omission[]): void {
    const before = this.#subjects.get(resource);
    if (before === undefined && omitted.length === 0) return;
    const bySubject = Map.groupBy(omitted, ({ subject }) => subject);
    if (bySubject.size === 0) this.#subjects.delete(resource);
    else this.#subjects.set(resource, new Set(bySubject.keys()));
    for (const subject of new Set([...(before ?? []), ...bySubject.keys()])) {
      const of = bySubject.get(subject);
      const sources = this.#sources.get(subject) ?? new Map<string, Source>();
      if (of === undefined) sources.delete(resource);
      else sources.set(resource, { dialect, omitted: of });
      if (sources.size === 0) this.#sources.delete(subject);
      else this.#sources.set(subject, sources);
      this.#tell(subject, sources);
    }
  }

  #tell(subject: string, sources: ReadonlyMap<string, Source>): void {
    const sentences = sentencesOf([...sources.values()]);
    const said = sentences.join('\n');
    if (said === (this.#said.get(subject) ?? '')) return;
    if (said === '') this.#said.delete(subject);
    else this.#said.set(subject, said);
    this.#onChange(subject, sentences);
  }
}

/** One for each dialect and field, with all the rules that it is about. */
function sentencesOf(sources: readonly Source[]): string[] {
  const rules = new Map<string, Set<string>>();
  const sentences = new Map<string, (rules: string) => string>();
  for (const { dialect, omitted } of sources)
    for (const { rule, field, instead } of omitted) {
      const id = `${dialect} ${field}`;
      rules.set(id, (rules.get(id) ?? new Set()).add(rule));
      sentences.set(id, of => `${names[dialect]} cannot be told ${field}${of}: ${instead}`);
    }
  return [...sentences]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, write]) => write(ofRules(rules.get(id))));
}

function ofRules(rules: ReadonlySet<string> = new Set()): string {
  const named = [...rules]
    .filter(rule => rule !== '')
    .sort(new Intl.Collator('en', { numeric: true }).compare);
  if (named.length === 0) return '';
  return ` of rule${named.length === 1 ? '' : 's'} ${named.join(', ')}`;
}
