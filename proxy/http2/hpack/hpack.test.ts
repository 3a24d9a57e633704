import { describe, expect, it } from 'vitest';
import { FlushQueue, Output } from '../../transport/output.ts';
import { HeaderBlock } from '../header-block.ts';
import { HpackDecoder } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';
import { HuffmanDecoder, huffmanEncode, huffmanLength } from './huffman.ts';
import { SensitiveNames } from './sensitive-names.ts';
import { StringCache } from './string-cache.ts';

function decoderOf(tableBytes = 4096) {
  const sensitive = new SensitiveNames();
  const block = new HeaderBlock(sensitive);
  const decoder = new HpackDecoder(new StringCache(), tableBytes);
  return {
    sensitive,
    block,
    decode(bytes: Buffer): string {
      block.begin(65_536, 1000, 1_048_576);
      return decoder.decode(bytes, 0, bytes.length, block);
    },
  };
}

function encoderOf() {
  const sensitive = new SensitiveNames();
  const output = new Output({ write: () => 0 }, new FlushQueue());
  const encoder = new HpackEncoder(output, sensitive, 4096);
  return {
    sensitive,
    encoder,
    encode(fields: string[]): Buffer {
      output.end = 0;
      encoder.begin(fields.length / 2);
      encoder.fields(fields);
      return Buffer.from(output.bytes.subarray(0, output.end));
    },
  };
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** RFC 7541, Appendix C.3 and C.4: three requests on one connection, without and with Huffman code. */
const REQUESTS = [
  {
    plain: '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    coded: '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
  },
  { plain: '8286 84be 5808 6e6f 2d63 6163 6865', coded: '8286 84be 5886 a8eb 1064 9cbf' },
  {
    plain: '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    coded: '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  },
];
/** Appendix C.5 and C.6: three responses with a table of 256 octets, which evicts. */
const RESPONSES = [
  {
    plain: `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120
      474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
    coded: `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718
      63c7 8f0b 97c8 e9ae 82ae 43d3`,
    status: '302',
    fields: [
      'cache-control',
      'private',
      'date',
      'Mon, 21 Oct 2013 20:13:21 GMT',
      'location',
      'https://www.example.com',
    ],
  },
  {
    plain: '4803 3330 37c1 c0bf',
    coded: '4883 640e ffc1 c0bf',
    status: '307',
    fields: [
      'cache-control',
      'private',
      'date',
      'Mon, 21 Oct 2013 20:13:21 GMT',
      'location',
      'https://www.example.com',
    ],
  },
  {
    plain: `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738
      666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630
      303b 2076 6572 7369 6f6e 3d31`,
    coded: `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7
      b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    status: '200',
    fields: [
      'cache-control',
      'private',
      'date',
      'Mon, 21 Oct 2013 20:13:22 GMT',
      'location',
      'https://www.example.com',
      'content-encoding',
      'gzip',
      'set-cookie',
      'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ],
  },
];

describe('the examples of RFC 7541, Appendix C', () => {
  it.each(['plain', 'coded'] as const)('decodes the requests (%s)', coding => {
    const { decode, block } = decoderOf();
    expect(decode(hex(REQUESTS[0][coding].replaceAll(/\s/g, '')))).toBe('');
    expect([block.method, block.scheme, block.path, block.authority]).toEqual([
      'GET',
      'http',
      '/',
      'www.example.com',
    ]);
    expect(decode(hex(REQUESTS[1][coding]))).toBe('');
    expect([block.authority, ...block.fields]).toEqual(['www.example.com', 'cache-control', 'no-cache']);
    expect(decode(hex(REQUESTS[2][coding]))).toBe('');
    expect([block.scheme, block.path, block.authority]).toEqual(['https', '/index.html', 'www.example.com']);
    expect(block.fields).toEqual(['custom-key', 'custom-value']);
  });

  it.each(['plain', 'coded'] as const)('decodes the responses with eviction (%s)', coding => {
    const { decode, block } = decoderOf();
    // The examples hold for a table of 256 octets: a size update says so.
    decode(hex('3f e1 01'));
    for (const response of RESPONSES) {
      expect(decode(hex(response[coding].replaceAll(/\s/g, '')))).toBe('');
      expect(block.status).toBe(response.status);
      expect(block.fields).toEqual(response.fields);
    }
  });
});

describe('Huffman code', () => {
  const text = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');

  it('gives every octet back', () => {
    const coded = Buffer.alloc(huffmanLength(text));
    expect(huffmanEncode(text, coded, 0)).toBe(coded.length);
    const out = Buffer.alloc(512);
    expect(new HuffmanDecoder().decode(coded, 0, coded.length, out)).toBe(256);
    expect(out.latin1Slice(0, 256)).toBe(text);
  });

  it.each([
    ['padding of zeros', '1f00'],
    ['padding of 8 ones', '1fffff'],
    ['EOS', 'ffffffff'],
    ['padding that is not the beginning of EOS', 'f0'],
  ])('refuses %s', (_, octets) => {
    const bytes = hex(octets);
    expect(new HuffmanDecoder().decode(bytes, 0, bytes.length, Buffer.alloc(16))).toBe(-1);
  });
});

describe('HpackDecoder', () => {
  it.each([
    ['index 0', '80'],
    ['an index behind the table', 'be'],
    ['a name index behind the table', '7f 00 01 61'],
    ['a size update above the setting', '3f e2 1f'],
    ['a size update inside a block', '82 20'],
    ['three size updates', '20 20 20'],
    ['a string that is longer than the block', '40 0a 61'],
    ['an integer without an end', '7f ff ff ff'],
    ['an integer that is too long', '7f ff ff ff ff ff ff 01'],
    ['a literal without a value', '40 01 61'],
    ['a broken Huffman code', '40 01 61 81 00'],
  ])('refuses %s', (_, octets) => {
    expect(decoderOf().decode(hex(octets))).not.toBe('');
  });

  it('gives the same string object again for the same octets', () => {
    const { decode, block } = decoderOf();
    decode(hex('00 01 61 03 78 79 7a'));
    const [, first] = block.fields;
    decode(hex('00 01 61 03 78 79 7a'));
    expect(Object.is(block.fields[1], first)).toBe(true);
  });

  it('empties the table for an entry that does not fit it', () => {
    const { decode } = decoderOf();
    decode(hex('40 01 61 01 62'));
    expect(decode(hex('be'))).toBe('');
    const big = Buffer.concat([hex('40 01 61 7f 81 1f'), Buffer.alloc(4096, 0x62)]);
    expect(decode(big)).toBe('');
    expect(decode(hex('be'))).toBe('no table entry 62');
  });

  it('reports names that must never be indexed', () => {
    const { decode, sensitive } = decoderOf();
    decode(hex('10 05 78 2d 6b 65 79 01 31'));
    expect(sensitive.has('x-key')).toBe(true);
  });
});

describe('HpackEncoder', () => {
  const fields = [
    ':method',
    'GET',
    ':path',
    '/a',
    'user-agent',
    'probe',
    'x-custom',
    'one',
    'te',
    'trailers',
  ];

  it('needs one octet a field for a list that repeats', () => {
    const { encode } = encoderOf();
    encode(fields);
    encode(fields);
    expect(encode(fields)).toHaveLength(5);
  });

  it('keeps to one octet a field around a value that always changes', () => {
    const { encode } = encoderOf();
    const list = (id: string): string[] => [...fields.slice(0, 6), 'traceparent', id, ...fields.slice(6)];
    for (const id of ['a', 'b', 'c']) encode(list(id));
    // Two octets of name index, one of length, one of value.
    expect(encode(list('d')).length - 5).toBeLessThanOrEqual(4);
  });

  it('is understood by the decoder whatever is evicted, shrunk or forgotten in between', () => {
    const { encode, encoder, sensitive } = encoderOf();
    const { decode, block } = decoderOf();
    for (let i = 0; i < 3000; i++) {
      if (i === 1000) encoder.limitTable(100);
      if (i === 1100) encoder.limitTable(0);
      if (i === 1200) encoder.limitTable(4096);
      if (i === 2000) sensitive.add('x-often');
      const list = ['x-often', `value-${i % 7}`, `x-name-${i % 300}`, 'v'.repeat(i % 500), 'x-empty', ''];
      expect(decode(encode(list))).toBe('');
      expect(block.fields).toEqual(list);
    }
  });

  it.each(['authorization', 'cookie', 'set-cookie', 'proxy-authorization'])('never indexes %s', name => {
    const { encode } = encoderOf();
    const list = [name, 'secret'];
    encode(list);
    encode(list);
    expect(encode(list)[0] & 0xf0).toBe(0x10);
  });

  it('leaves out what HTTP/2 forbids', () => {
    const { encode } = encoderOf();
    expect(
      encode(['connection', 'close', 'Upper', 'x', 'transfer-encoding', 'chunked', 'a b', 'x']),
    ).toHaveLength(0);
  });
});
