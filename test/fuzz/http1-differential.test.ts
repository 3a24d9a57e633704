/**
 * Differential fuzz of the HTTP/1.1 codec against Node's llhttp. Property: every request (or response) that the codec
 * accepts is one for llhttp too, with the same start line, fields, body and end; the codec may be stricter, never laxer.
 *
 * `FUZZ_CASES` sets the number of cases of each test (default 50,000), `FUZZ_SEED` the seed. A failure prints the case.
 */
import { METHODS } from 'node:http';
import { expect, test } from 'vitest';
import { FRAMING_CORPUS } from './http1/framing-corpus.ts';
import type { Message, Parsed } from './http1/message.ts';
import { cut, mutate } from './http1/mutate.ts';
import { NodeParser } from './http1/node-parser.ts';
import { Random } from './http1/random.ts';
import { RESPONSE_CORPUS } from './http1/response-corpus.ts';
import { TulleParser } from './http1/tulle-parser.ts';

const CASES = Number(process.env['FUZZ_CASES'] ?? 50_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
/** Cases that go through node:http at the same time. */
const BATCH = 250;
const LIMIT_MS = 60_000 + CASES * 5;

const known = new Set(METHODS);

/** What is wrong, '' if nothing is. */
function compare(ours: Parsed, theirs: Parsed, isRequest: boolean): string {
  for (let i = 0; i < ours.messages.length; i++) {
    const mine = ours.messages[i];
    // llhttp has a list of methods; others are none of framing's business.
    if (isRequest && !known.has(mine.start.slice(0, mine.start.indexOf(' ')))) return '';
    const their = theirs.messages[i];
    if (their === undefined) return `message ${i} is accepted by the codec only`;
    if (mine.asksUpgrade || their.asksUpgrade) return compareHead(mine, their);
    const last = i === ours.messages.length - 1;
    const fault = compareMessage(mine, their, last && ours.error !== '');
    if (fault !== '') return `message ${i}: ${fault}`;
  }
  if (ours.error === '' && theirs.messages.length > ours.messages.length) {
    return 'node:http sees more messages than the codec, which refused nothing';
  }
  return '';
}

function compareMessage(mine: Message, their: Message, refused: boolean): string {
  const fault = compareHead(mine, their);
  if (fault !== '') return fault;
  if (refused && !mine.ended) return '';
  if (mine.ended !== their.ended) return `ended ${mine.ended}, not ${their.ended}`;
  if (mine.body !== their.body) return `body ${JSON.stringify(mine.body)}, not ${JSON.stringify(their.body)}`;
  if (!isDeepEqual(mine.trailers, their.trailers))
    return `trailers ${mine.trailers.join()}, not ${their.trailers.join()}`;
  return '';
}

function compareHead(mine: Message, their: Message): string {
  if (mine.start !== their.start)
    return `start ${JSON.stringify(mine.start)}, not ${JSON.stringify(their.start)}`;
  if (!isDeepEqual(mine.fields, their.fields))
    return `fields ${mine.fields.join()}, not ${their.fields.join()}`;
  return '';
}

function isDeepEqual(a: string[], b: string[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

interface Tally {
  accepted: number;
  refusals: Set<string>;
}

async function fuzz(
  corpus: readonly string[],
  mine: (pieces: Buffer[], random: Random) => Parsed,
  theirs: (pieces: Buffer[], random: Random) => Promise<Parsed>,
): Promise<Tally> {
  const tally: Tally = { accepted: 0, refusals: new Set() };
  for (let first = 0; first < CASES; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, CASES - first) }, (_, i) => first + i);
    await Promise.all(
      batch.map(async index => {
        const random = new Random(SEED + index * 7919);
        const text = mutate(corpus, random);
        const bytes = Buffer.from(text, 'latin1');
        const choice = random.below(1000);
        const ours = mine(cut(bytes, random), new Random(choice));
        const node = await theirs([bytes], new Random(choice));
        const fault = compare(ours, node, corpus !== RESPONSE_CORPUS);
        if (fault !== '') {
          const reproduce = { seed: SEED, index, text, ours, node };
          expect.fail(`${fault}\n${JSON.stringify(reproduce, null, 1)}`);
        }
        if (ours.messages.length > 0) tally.accepted++;
        if (ours.error !== '') tally.refusals.add(ours.error);
      }),
    );
  }
  return tally;
}

test(
  'the codec accepts no request that llhttp reads differently',
  async () => {
    const tulle = new TulleParser();
    const node = new NodeParser();
    // Accepted requests are few in the corpus, and what matters is what comes near to being accepted.
    const corpus = FRAMING_CORPUS.filter(({ bytes }) => bytes.length < 4000).flatMap(({ bytes, verdict }) =>
      Array.from({ length: verdict === 'accept' ? 8 : 1 }, () => bytes),
    );
    const tally = await fuzz(
      corpus,
      pieces => tulle.requests(pieces),
      pieces => node.requests(pieces),
    );
    // The mutations reach both sides of the fence, and most of its posts.
    expect(tally.accepted).toBeGreaterThan(CASES / 8);
    expect(tally.refusals.size).toBeGreaterThan(Math.min(25, CASES / 200));
  },
  LIMIT_MS,
);

test(
  'the codec accepts no response that llhttp reads differently',
  async () => {
    const tulle = new TulleParser();
    const node = new NodeParser();
    const method = (random: Random): string => random.pick(['GET', 'GET', 'GET', 'HEAD', 'POST']);
    const tally = await fuzz(
      RESPONSE_CORPUS,
      (pieces, random) => tulle.response(method(random), pieces),
      (pieces, random) => node.response(method(random), pieces),
    );
    expect(tally.accepted).toBeGreaterThan(CASES / 10);
  },
  LIMIT_MS,
);
