import type { Random } from './random.ts';

const BYTES = '\r\n\0\t\x0b\x0c :;,=0123456789abcdefxX"\\/?#@%+-_.\x7f\x80\xffGHTP'.split('');

const SNIPPETS = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  '\n\n',
  ' ',
  '\t',
  '0\r\n\r\n',
  '1\r\na\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'content-length:3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'transfer-encoding:\tchunked \r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, x\r\n',
  'Connection: upgrade\r\nUpgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  'Host: b.test\r\n',
  'X: y\r\n',
  ' folded\r\n',
  ', chunked',
  ';a=b',
  ';a="b;\r\n"',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/0.9',
  'GET /s HTTP/1.1\r\nHost: s.test\r\n\r\n',
  'POST /s HTTP/1.1\r\nHost: s.test\r\nContent-Length: 1\r\n\r\nz',
];

type Mutation = (text: string, random: Random, other: string) => string;

function at(text: string, random: Random): number {
  return random.below(text.length + 1);
}

function lines(text: string): string[] {
  return text.split(/(?<=\n)/);
}

const MUTATIONS: readonly Mutation[] = [
  (text, random) => {
    const i = at(text, random);
    return text.slice(0, i) + random.pick(BYTES) + text.slice(i);
  },
  (text, random) => {
    const i = at(text, random);
    return text.slice(0, i) + random.pick(BYTES) + text.slice(i + 1);
  },
  (text, random) => {
    const i = at(text, random);
    return text.slice(0, i) + text.slice(i + 1 + random.below(4));
  },
  (text, random) => {
    const i = at(text, random);
    return text.slice(0, i) + random.pick(SNIPPETS) + text.slice(i);
  },
  // Whole lines: inserted, doubled, removed, swapped.
  (text, random) => {
    const all = lines(text);
    all.splice(1 + random.below(all.length), 0, random.pick(SNIPPETS));
    return all.join('');
  },
  (text, random) => {
    const all = lines(text);
    const i = random.below(all.length);
    all.splice(i, 0, all[i]);
    return all.join('');
  },
  (text, random) => {
    const all = lines(text);
    all.splice(random.below(all.length), 1);
    return all.join('');
  },
  (text, random) => {
    const all = lines(text);
    const i = random.below(all.length);
    const j = random.below(all.length);
    [all[i], all[j]] = [all[j], all[i]];
    return all.join('');
  },
  // The case of one letter; a number one higher.
  (text, random) => {
    const i = at(text, random);
    const c = text.charAt(i);
    return text.slice(0, i) + (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()) + text.slice(i + 1);
  },
  (text, random) => {
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length === 0) return text;
    const found = random.pick(numbers);
    const changed = String(Number(found[0]) + random.pick([-1, 1, 10]));
    return text.slice(0, found.index) + changed + text.slice(found.index + found[0].length);
  },
  // One line break, or all, without CR.
  (text, random) => {
    const breaks = [...text.matchAll(/\r\n/g)];
    if (breaks.length === 0) return text;
    const { index } = random.pick(breaks);
    return text.slice(0, index) + text.slice(index + 1);
  },
  // The beginning of one case with the end of another; or one after the other.
  (text, random, other) => text.slice(0, at(text, random)) + other.slice(at(other, random)),
  (text, _, other) => text + other,
];

/** Changes one of the texts (latin1) in one to four places. */
export function mutate(corpus: readonly string[], random: Random): string {
  let text = random.pick(corpus);
  const rounds = random.below(4) + (random.below(8) === 0 ? 0 : 1);
  for (let i = 0; i < rounds; i++) text = random.pick(MUTATIONS)(text, random, random.pick(corpus));
  return text;
}

/** Cuts bytes into up to four pieces. */
export function cut(bytes: Buffer, random: Random): Buffer[] {
  const cuts = Array.from({ length: random.below(4) }, () => random.below(bytes.length + 1));
  cuts.sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (to > from) pieces.push(bytes.subarray(from, to));
    from = to;
  }
  return pieces;
}
