import { expect, test } from 'vitest';
import { LearnedProtocols } from './learned-protocols.ts';
import { parseSocketAddress } from './original-destination.ts';

test('a port on which the server spoke first is remembered, unless HTTP was seen on it', () => {
  const learned = new LearnedProtocols();
  learned.serverSpokeFirst('a');
  expect(learned.isServerFirst('a')).toBe(true);
  learned.sawHttp('b');
  learned.serverSpokeFirst('b');
  expect(learned.isServerFirst('b')).toBe(false);
  learned.sawHttp('a');
  expect(learned.isServerFirst('a')).toBe(false);
});

test('what was learned of one client is not held against another, and HTTP counts for all', () => {
  const learned = new LearnedProtocols();
  learned.serverSpokeFirst('a', '10.0.0.1');
  expect(['10.0.0.1', '10.0.0.2'].map(client => learned.isServerFirst('a', client))).toEqual([true, false]);
  learned.sawHttp('a');
  expect(learned.isServerFirst('a', '10.0.0.1')).toBe(false);
});

test('the ports that are remembered are bounded', () => {
  const learned = new LearnedProtocols(2);
  for (const port of ['a', 'b', 'c']) learned.serverSpokeFirst(port);
  expect(['a', 'b', 'c'].map(port => learned.isServerFirst(port))).toEqual([false, true, true]);
});

test('socket addresses as the kernel writes them', () => {
  const ipv4 = Buffer.alloc(28);
  ipv4.set([2, 0, 0x1f, 0x90, 10, 0, 0, 1]);
  expect(parseSocketAddress(ipv4)).toEqual({ address: '10.0.0.1', port: 8080 });
  const ipv6 = Buffer.alloc(28);
  ipv6.set([10, 0, 0, 80]);
  ipv6.set([0xfd, 0, 0, 8], 8);
  ipv6[23] = 1;
  expect(parseSocketAddress(ipv6)).toEqual({ address: 'fd00:8::1', port: 80 });
  const mapped = Buffer.alloc(28);
  mapped.set([10, 0, 0, 80]);
  mapped.set([0xff, 0xff, 10, 0, 0, 2], 18);
  expect(parseSocketAddress(mapped)).toEqual({ address: '10.0.0.2', port: 80 });
  expect(parseSocketAddress(Buffer.alloc(28))).toBeNull();
});
