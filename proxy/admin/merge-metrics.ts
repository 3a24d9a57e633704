/**
 * The application's exposition (Prometheus text 0.0.4) behind the sidecar's own, so that one scrape has both. A family may
 * stand only once: of the process metrics the application's count, of the mesh's the sidecar's.
 */

/** Families about the process, which both report under the same names. */
const PROCESS = /^(?:process|nodejs)_/;
/** Families that only the sidecar can know. */
const MESH = /^(?:istio|tulle)_/;

/** Suffixes of samples of histograms and summaries, whose family name is without them. */
const SUFFIX = /_(?:bucket|sum|count|total|created)$/;

export interface ApplicationMetrics {
  /** Ready to stand behind the sidecar's. */
  readonly text: string;
  /** Families of the process that the sidecar leaves out. */
  readonly process: ReadonlySet<string>;
}

/** Brings the application's exposition into a form that can stand behind another one. */
export function readApplicationMetrics(exposition: string): ApplicationMetrics {
  const families = sections(exposition);
  let text = '';
  for (const [family, lines] of families) if (!MESH.test(family)) text += lines;
  return { text, process: new Set([...families.keys()].filter(family => PROCESS.test(family))) };
}

/** Whether a piece of the sidecar's own exposition is of a family that the application reports. */
export function isReplaced(piece: string, { process }: ApplicationMetrics): boolean {
  if (process.size === 0) return false;
  const family = /^(?:# HELP )?([^\s{]+)/.exec(piece)?.[1] ?? '';
  return process.has(family);
}

/**
 * Lines by family, in the order of appearance. Lines of a family that is interrupted come together again, and a second
 * HELP or TYPE is left out, as parsers demand it.
 */
function sections(text: string): Map<string, string> {
  const families = new Map<string, string>();
  const declared = new Set<string>();
  const seen = new Set<string>();
  for (const raw of text.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const comment = /^#\s*(HELP|TYPE|UNIT|EOF)\b\s*([^\s{]*)/.exec(line);
    if (line.trim() === '' || comment?.[1] === 'EOF' || (line.startsWith('#') && comment === null)) continue;
    if (comment === null) {
      const name = /^[^\s{]+/.exec(line)?.[0] ?? '';
      const base = name.replace(SUFFIX, '');
      const family = declared.has(name) || !declared.has(base) ? name : base;
      append(families, family, line);
      continue;
    }
    const [, keyword, family] = comment;
    if (keyword === 'UNIT' || seen.has(`${keyword} ${family}`)) continue;
    seen.add(`${keyword} ${family}`);
    declared.add(family);
    append(families, family, line);
  }
  return families;
}

function append(families: Map<string, string>, family: string, line: string): void {
  families.set(family, `${families.get(family) ?? ''}${line}\n`);
}
