import { type Document, isMap, isNode, LineCounter, parseAllDocuments } from 'yaml';
import type { RecordKind } from '../../model/records.ts';
import { recordKey, recordKind } from '../convert/convert.ts';
import { type Fields, Problems } from '../convert/fields.ts';
import { type KubernetesObject, readMetadata } from '../convert/object.ts';

/** An object of a kind that is read, and where it stands. */
export interface Manifest {
  readonly kind: RecordKind;
  readonly key: string;
  readonly object: KubernetesObject;
  /** `<file>:<line>`. */
  readonly location: string;
}

/** What a file holds, or why it cannot be read: then what it held stays in force. */
export type ParsedFile =
  | { readonly manifests: readonly Manifest[] }
  | { readonly manifests: null; readonly problems: readonly string[] };

/**
 * Reads a file of manifests: YAML with any number of documents, or JSON, which is YAML too. Objects of other kinds are
 * passed over; a `List` stands for its items.
 */
export function parseManifests(file: string, text: string): ParsedFile {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  if (!Array.isArray(documents) || documents.length === 0) return { manifests: [] };
  // The first alone: the others are mostly its consequences.
  const [error] = documents.flatMap(document => document.errors);
  if (error !== undefined) return { manifests: null, problems: [describe(error, lines, file)] };

  const manifests: Manifest[] = [];
  const problems = new Problems();
  for (const document of documents) {
    const line = lineOf(document, lines);
    let value: unknown;
    try {
      value = document.toJS();
    } catch (error) {
      return {
        manifests: null,
        problems: [`${file}:${line}: ${(error as Error).message}; correct the YAML`],
      };
    }
    readObject(value, `${file}:${line}`, manifests, problems);
  }
  // A document that is no object may be half of one: then none of the file can be trusted.
  return problems.list.length === 0 ? { manifests } : { manifests: null, problems: problems.list };
}

function describe(
  error: { message: string; pos: [number, number] },
  lines: LineCounter,
  file: string,
): string {
  const { line, col } = lines.linePos(error.pos[0]);
  return `${file}:${line}:${col}: ${error.message}; correct the YAML`;
}

function lineOf(document: Document.Parsed, lines: LineCounter): number {
  const start = isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0;
  return isMap(document.contents) || start > 0 ? lines.linePos(start).line : 1;
}

function readObject(value: unknown, location: string, manifests: Manifest[], problems: Problems): void {
  if (value === null || value === undefined) return;
  if (typeof value !== 'object' || Array.isArray(value)) {
    problems.add(`${location}: the document`, value, 'use an object with apiVersion, kind and metadata');
    return;
  }
  const fields = value as Fields;
  if (typeof fields.apiVersion !== 'string' || typeof fields.kind !== 'string') {
    const missing = typeof fields.kind === 'string' ? 'apiVersion' : 'kind';
    problems.add(`${location}: ${missing}`, fields[missing], 'use a string, as Kubernetes manifests have it');
    return;
  }
  if (Array.isArray(fields.items) && fields.kind.endsWith('List')) {
    for (const item of fields.items as unknown[]) readObject(item, location, manifests, problems);
    return;
  }
  const kind = recordKind(fields.apiVersion, fields.kind);
  if (kind === null) return;
  const metadata = readMetadata(fields.metadata, 'default');
  if (!isName(metadata.name) || !isName(metadata.namespace)) {
    const field = isName(metadata.name) ? 'namespace' : 'name';
    const given = (fields.metadata as Fields | null | undefined)?.[field];
    problems.add(
      `${location}: ${fields.kind} metadata.${field}`,
      given,
      'use lower-case letters, digits, - and .',
    );
    return;
  }
  // The API server gives every object a uid; here the name has to do.
  const uid = metadata.uid === '' ? `${kind}/${metadata.namespace}/${metadata.name}` : metadata.uid;
  const object = { kind, metadata: { ...metadata, uid }, fields };
  manifests.push({ kind, key: recordKey(kind, metadata), object, location });
}

function isName(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name);
}
