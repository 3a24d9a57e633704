/** Names in certificates: distinguished names as we write them, and the subject's alternative names (RFC 5280 §4.2.1.6). */
import { contextTag, DerReader, element, oid, sequence, tags } from './der.ts';

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';

const DNS_NAME = contextTag(2, false);
const URI = contextTag(6, false);

/** A distinguished name; the empty one if neither part is given. */
export function distinguishedName(parts: { organization?: string; commonName?: string }): Buffer {
  const attribute = (type: string, value: string): Buffer =>
    element(tags.set, sequence(oid(type), element(tags.utf8String, Buffer.from(value))));
  const attributes: Buffer[] = [];
  if (parts.organization !== undefined) attributes.push(attribute(ORGANIZATION, parts.organization));
  if (parts.commonName !== undefined) attributes.push(attribute(COMMON_NAME, parts.commonName));
  return sequence(...attributes);
}

export type AlternativeName = { kind: 'uri' | 'dns'; value: string };

/** GeneralNames of the SubjectAltName extension. */
export function generalNames(names: readonly AlternativeName[]): Buffer {
  return sequence(
    ...names.map(name => element(name.kind === 'uri' ? URI : DNS_NAME, Buffer.from(name.value, 'latin1'))),
  );
}

/** Alternative names as found, undecoded: what may be in them is for the caller to judge. */
export interface FoundNames {
  readonly uris: readonly Buffer[];
  readonly dns: readonly Buffer[];
  /** Names of other kinds (addresses, mail, directory names). */
  readonly others: number;
}

/** Reads GeneralNames. Throws {@link DerError}. */
export function readGeneralNames(der: Buffer): FoundNames {
  const outer = new DerReader(der);
  const names = outer.enter(tags.sequence);
  outer.finish('the alternative names');
  const uris: Buffer[] = [];
  const dns: Buffer[] = [];
  let others = 0;
  while (!names.atEnd) {
    const tag = names.peek();
    const value = names.read(tag);
    if (tag === URI) uris.push(value);
    else if (tag === DNS_NAME) dns.push(value);
    else others++;
  }
  return { uris, dns, others };
}
