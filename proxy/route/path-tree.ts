/**
 * Index of routes by path: a radix tree over the literal beginning of each route's path match. A lookup walks down the
 * request's path once and meets exactly the routes whose literal part fits, so its cost does not grow with the number of
 * routes on other paths.
 */

/** Index that is above that of every route. */
const NONE = 0x7fff_ffff;

export class PathNode {
  /** Part of the path between the parent and this node. */
  label: string;
  /** Routes that match if the path ends here; ascending, like the other lists. */
  readonly exact: number[] = [];
  /** Routes that match if the path ends here or a `/` follows. */
  readonly elements: number[] = [];
  /** Routes that match whatever follows (regular expressions are then evaluated). */
  readonly prefix: number[] = [];
  /** First character of the label of each child. */
  readonly codes: number[] = [];
  readonly children: PathNode[] = [];
  /** Least route index in this node and below. */
  least: number = NONE;

  constructor(label: string) {
    this.label = label;
  }

  child(code: number): PathNode | null {
    const { codes } = this;
    for (let i = 0; i < codes.length; i++) {
      if (codes[i] === code) return this.children[i];
    }
    return null;
  }
}

/** Adds a route under its literal path. Routes are added in ascending order of their index. */
export function insertPath(
  root: PathNode,
  path: string,
  kind: 'exact' | 'elements' | 'prefix',
  index: number,
): void {
  let node = root;
  let position = 0;
  for (;;) {
    node.least = Math.min(node.least, index);
    if (position === path.length) break;
    const slot = node.codes.indexOf(path.charCodeAt(position));
    if (slot < 0) {
      const leaf = new PathNode(path.slice(position));
      leaf.least = index;
      node.codes.push(path.charCodeAt(position));
      node.children.push(leaf);
      node = leaf;
      break;
    }
    const child = node.children[slot];
    const shared = sharedLength(child.label, path, position);
    if (shared < child.label.length) node.children[slot] = split(child, shared);
    node = node.children[slot];
    position += shared;
  }
  node[kind].push(index);
}

function sharedLength(label: string, path: string, position: number): number {
  let i = 0;
  while (i < label.length && label.charCodeAt(i) === path.charCodeAt(position + i)) i++;
  return i;
}

/** A new node for the first `length` characters of the label, with the old one below it. */
function split(node: PathNode, length: number): PathNode {
  const upper = new PathNode(node.label.slice(0, length));
  upper.least = node.least;
  node.label = node.label.slice(length);
  upper.codes.push(node.label.charCodeAt(0));
  upper.children.push(node);
  return upper;
}
