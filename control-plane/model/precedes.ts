/** What of an object decides which of several comes first. */
interface Owner {
  readonly namespace: string;
  readonly name: string;
  /** Unix seconds. */
  readonly created: number;
}

/** Older first, then by name: the first of several owners is the one that counts (Gateway API, conflict resolution). */
export function precedes(a: Owner, b: Owner): boolean {
  if (a.created !== b.created) return a.created < b.created;
  return `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}`;
}
