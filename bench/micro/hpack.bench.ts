/** HPACK: header lists that repeat, that differ in one value, and Huffman-coded literals. Run: npx node bench/micro/hpack.bench.ts */
import { bench, do_not_optimize, run } from 'mitata';
import { HeaderBlock } from '../../proxy/http2/header-block.ts';
import { HpackDecoder } from '../../proxy/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts';
import { HuffmanDecoder, huffmanEncode, huffmanLength } from '../../proxy/http2/hpack/huffman.ts';
import { SensitiveNames } from '../../proxy/http2/hpack/sensitive-names.ts';
import { StringCache } from '../../proxy/http2/hpack/string-cache.ts';
import { FlushQueue, Output } from '../../proxy/transport/output.ts';

/** Ten fields as a request between two sidecars has them. */
const REQUEST = [
  ':method',
  'GET',
  ':scheme',
  'http',
  ':authority',
  'reviews.default.svc.cluster.local:9080',
  ':path',
  '/api/v1/reviews/0?limit=20',
  'user-agent',
  'python-requests/2.31.0',
  'accept',
  '*/*',
  'accept-encoding',
  'gzip, deflate',
  'x-forwarded-proto',
  'http',
  'x-request-id',
  '00000000-0000-0000-0000-000000000000',
  'tulle-source',
  'default/productpage',
];
const VARYING = REQUEST.indexOf('x-request-id') + 1;

function encoder() {
  const output = new Output({ write: () => 0 }, new FlushQueue());
  const hpack = new HpackEncoder(output, new SensitiveNames(), 4096);
  return (fields: string[]): Buffer => {
    output.end = 0;
    hpack.begin(fields.length / 2);
    hpack.fields(fields);
    return output.bytes.subarray(0, output.end);
  };
}

function decoder() {
  const block = new HeaderBlock(new SensitiveNames());
  const hpack = new HpackDecoder(new StringCache(), 4096);
  return (bytes: Buffer): HeaderBlock => {
    block.begin(65_536, 100, 1_048_576);
    if (hpack.decode(bytes, 0, bytes.length, block) !== '') throw new Error('the block is broken');
    return block;
  };
}

/** A list for each of 256 requests, of which only one value differs. */
const DIFFERENT = Array.from({ length: 256 }, (_, i) => {
  const fields = [...REQUEST];
  fields[VARYING] = `0f3a9c1e-77aa-4b1d-9c55-${i.toString(16).padStart(12, '0')}`;
  return fields;
});

const encodeSame = encoder();
bench('encode 10 fields that repeat', () => do_not_optimize(encodeSame(REQUEST).length));

const encodeVarying = encoder();
let next = 0;
bench('encode 10 fields of which one is new', () => {
  next = (next + 1) & 255;
  do_not_optimize(encodeVarying(DIFFERENT[next]).length);
});

const toDecode = encoder();
const decodeSame = decoder();
for (let i = 0; i < 3; i++) decodeSame(Buffer.from(toDecode(REQUEST)));
const repeated = Buffer.from(toDecode(REQUEST));
bench(`decode 10 fields that repeat (${repeated.length} octets)`, () =>
  do_not_optimize(decodeSame(repeated).fields),
);

const toVary = encoder();
const decodeVarying = decoder();
// The third round inserts nothing any more, so its blocks can be decoded again and again.
const rounds = Array.from({ length: 3 * 256 }, (_, i) => Buffer.from(toVary(DIFFERENT[i & 255])));
for (const block of rounds) decodeVarying(block);
const blocks = rounds.slice(512);
bench('decode 10 fields of which one is new', () => {
  next = (next + 1) & 255;
  do_not_optimize(decodeVarying(blocks[next]).fields);
});

const text = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36';
const coded = Buffer.alloc(huffmanLength(text));
huffmanEncode(text, coded, 0);
const huffman = new HuffmanDecoder();
const out = Buffer.alloc(256);
bench(`Huffman-decode ${text.length} octets`, () =>
  do_not_optimize(huffman.decode(coded, 0, coded.length, out)),
);
bench(`Huffman-encode ${text.length} octets`, () => do_not_optimize(huffmanEncode(text, coded, 0)));
const strings = new StringCache();
bench('the same from the string cache', () =>
  do_not_optimize(strings.read(coded, 0, coded.length, true, true)),
);

await run();
