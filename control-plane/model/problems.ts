/**
 * What is wrong with what users wrote, by object. Sentences say field, value and remedy. A change is logged once, when
 * it happens; the list is served by the admin port.
 */
import type { Logger } from '../../runtime/log.ts';

export interface Problem {
  /** `HTTPRoute/<namespace>/<name>`, or the path of a file. */
  readonly subject: string;
  /** `<file>:<line>` in directory mode, else ''. */
  readonly location: string;
  readonly problems: readonly string[];
}

/** Found in the object alone, or found when it was joined with others. */
export type ProblemOrigin = 'object' | 'link';

interface Entry {
  object: readonly string[];
  link: readonly string[];
}

export class ProblemList {
  readonly #entries = new Map<string, Entry>();
  readonly #locations = new Map<string, string>();
  readonly #log: Logger;
  readonly #onChange: (subject: string) => void;

  constructor(log: Logger, onChange: (subject: string) => void) {
    this.#log = log;
    this.#onChange = onChange;
  }

  set(subject: string, origin: ProblemOrigin, problems: readonly string[]): void {
    const entry = this.#entries.get(subject) ?? { object: [], link: [] };
    if (entry[origin].join('\n') === problems.join('\n')) return;
    entry[origin] = problems;
    this.#logChange(subject, entry);
    if (entry.object.length + entry.link.length === 0) this.#entries.delete(subject);
    else this.#entries.set(subject, entry);
    this.#onChange(subject);
  }

  /** Where the user finds the object; '' if it is in no file. */
  locate(subject: string, location: string): void {
    if (location === '') this.#locations.delete(subject);
    else this.#locations.set(subject, location);
  }

  /** Sorted by subject. */
  list(): Problem[] {
    return [...this.#entries]
      .map(([subject, { object, link }]) => ({
        subject,
        location: this.#locations.get(subject) ?? '',
        problems: [...object, ...link],
      }))
      .sort((a, b) => (a.subject < b.subject ? -1 : 1));
  }

  #logChange(subject: string, { object, link }: Entry): void {
    const problems = [...object, ...link];
    const location = this.#locations.get(subject) ?? '';
    if (problems.length === 0) this.#log.info({ subject }, 'configuration is in order again');
    else this.#log.warn({ subject, location, problems }, 'configuration has problems');
  }
}
