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

/**
 * Found in the object alone, or found when it was joined with others; or nothing is wrong with it, but there are clients that
 * cannot be told all of it.
 */
export type ProblemOrigin = 'object' | 'link' | 'clients';

type Entry = Record<ProblemOrigin, readonly string[]>;

const texts = {
  configuration: ['configuration has problems', 'configuration is in order again'],
  clients: ['not every client can be told all of the configuration', 'every client is told all of it again'],
} as const;

export class ProblemList {
  readonly #entries = new Map<string, Entry>();
  readonly #locations = new Map<string, string>();
  readonly #log: Logger;
  readonly #onChange: (subject: string, origin: ProblemOrigin) => void;

  constructor(log: Logger, onChange: (subject: string, origin: ProblemOrigin) => void) {
    this.#log = log;
    this.#onChange = onChange;
  }

  set(subject: string, origin: ProblemOrigin, problems: readonly string[]): void {
    const entry = this.#entries.get(subject) ?? { object: [], link: [], clients: [] };
    if (entry[origin].join('\n') === problems.join('\n')) return;
    entry[origin] = problems;
    if (origin === 'clients') this.#logChange(subject, texts.clients, entry.clients);
    else this.#logChange(subject, texts.configuration, [...entry.object, ...entry.link]);
    if (sentencesOf(entry).length === 0) this.#entries.delete(subject);
    else this.#entries.set(subject, entry);
    this.#onChange(subject, origin);
  }

  /** What is wrong with the object; of `clients`, what some of them cannot be told. */
  of(subject: string, what: 'configuration' | 'clients'): readonly string[] {
    const entry = this.#entries.get(subject);
    if (entry === undefined) return [];
    return what === 'clients' ? entry.clients : [...entry.object, ...entry.link];
  }

  /** Where the user finds the object; '' if it is in no file. */
  locate(subject: string, location: string): void {
    if (location === '') this.#locations.delete(subject);
    else this.#locations.set(subject, location);
  }

  /** Sorted by subject. */
  list(): Problem[] {
    return [...this.#entries]
      .map(([subject, entry]) => ({
        subject,
        location: this.#locations.get(subject) ?? '',
        problems: sentencesOf(entry),
      }))
      .sort((a, b) => (a.subject < b.subject ? -1 : 1));
  }

  #logChange(
    subject: string,
    [begun, over]: (typeof texts)[keyof typeof texts],
    problems: readonly string[],
  ): void {
    const location = this.#locations.get(subject) ?? '';
    if (problems.length === 0) this.#log.info({ subject }, over);
    else this.#log.warn({ subject, location, problems }, begun);
  }
}

function sentencesOf({ object, link, clients }: Entry): string[] {
  return [...object, ...link, ...clients];
}
