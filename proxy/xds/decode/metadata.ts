/** Tulle's own metadata on resources (docs/xds.md): strings under one key. */
import { metadataKey } from '../../../api/xds/names.ts';
import type { ServiceLabels, WorkloadLabels } from '../../cluster/cluster-config.ts';
import type { Problems } from './decoded.ts';

interface Metadata {
  readonly filterMetadata: { readonly [key: string]: { readonly [key: string]: unknown } | undefined };
}

/** Reads strings of the metadata of one message; what is not there is ''. */
export class MetadataReader {
  readonly #fields: { readonly [key: string]: unknown };
  readonly #at: string;
  readonly #problems: Problems;

  /** `at` names the message in reasons, '' for the resource itself. */
  constructor(metadata: Metadata | undefined, at: string, problems: Problems) {
    this.#fields = metadata?.filterMetadata[metadataKey] ?? {};
    this.#at = `${at === '' ? '' : `${at}.`}metadata["${metadataKey}"]`;
    this.#problems = problems;
  }

  text(name: string): string {
    const value = Object.hasOwn(this.#fields, name) ? this.#fields[name] : '';
    if (typeof value === 'string') return value;
    this.#problems.add(`${this.#at}.${name}`, value, 'use a string');
    return '';
  }

  /** A number from 0, which is also what a missing one is. */
  number(name: string): number {
    const value = this.text(name);
    if (value === '' || /^\d{1,15}$/.test(value)) return Number(value);
    this.#problems.add(`${this.#at}.${name}`, value, 'use digits');
    return 0;
  }

  /** One of a set; `fallback` for '' if there is one. */
  choice<T extends string>(name: string, choices: readonly T[], fallback?: T): T {
    const value = this.text(name);
    const found = choices.find(choice => choice === value);
    if (found !== undefined) return found;
    if (value === '' && fallback !== undefined) return fallback;
    this.#problems.add(`${this.#at}.${name}`, value, `use one of ${choices.join(', ')}`);
    return choices[0];
  }

  service(): ServiceLabels {
    return {
      host: this.text('service_host'),
      name: this.text('service_name'),
      namespace: this.text('service_namespace'),
    };
  }

  workload(): WorkloadLabels {
    return {
      workload: this.text('workload'),
      namespace: this.text('namespace'),
      principal: this.text('principal'),
      app: this.text('app'),
      version: this.text('version'),
      canonicalService: this.text('canonical_service'),
      canonicalRevision: this.text('canonical_revision'),
    };
  }
}
