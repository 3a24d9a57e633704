import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/log.ts';
import { type AuthorityFiles, createAuthorityFiles } from './authority.ts';
import { directoryReviewer } from './directory-reviewer.ts';
import { directoryStore } from './directory-store.ts';
import { LiveAuthority } from './live-authority.ts';
import { createRateLimit } from './rate-limit.ts';
import { serveCertificate } from './serving-certificate.ts';

let folder: string;
const lines: Record<string, unknown>[] = [];
const log = createLogger('test', 'trace', { write: line => void lines.push(JSON.parse(line)) });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tulle-authority-'));
  lines.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Partial<AuthorityFiles>): void {
  if (files.certificate !== undefined) writeFileSync(join(folder, 'tls.crt'), files.certificate);
  if (files.key !== undefined) writeFileSync(join(folder, 'tls.key'), files.key);
  if (files.roots !== undefined) writeFileSync(join(folder, 'ca.crt'), files.roots);
}

test('a new authority is taken over; a broken one is not, and the last good one stays', async () => {
  const clock = new ManualClock(Date.now());
  const live = await LiveAuthority.open(directoryStore(folder), clock, log);
  const first = live.current;
  const seen: string[] = [];
  live.subscribe(authority => seen.push(authority.bundlePem));

  write({ key: 'nonsense' });
  await live.reload();
  expect(live.current).toBe(first);
  expect(live.problem).toBe('tls.key is not a private key; put an unencrypted one there, PEM');
  expect(seen).toEqual([]);

  const next = createAuthorityFiles(clock.unix());
  write({ ...next, roots: first.bundlePem + next.roots });
  await live.reload();
  expect(live.problem).toBe('');
  expect(live.current.roots).toHaveLength(2);
  expect(seen).toHaveLength(1);

  rmSync(join(folder, 'tls.crt'));
  rmSync(join(folder, 'tls.key'));
  rmSync(join(folder, 'ca.crt'));
  await live.reload();
  expect(live.problem).toBe('it is gone');
  expect(live.current.roots).toHaveLength(2);
  live.stop();
});

test('the store is read by time, though no watch says anything', async () => {
  const clock = new ManualClock(Date.now());
  const store = { ...directoryStore(folder), watch: () => () => {} };
  const live = await LiveAuthority.open(store, clock, log);
  const changed = new Promise(resolve => {
    live.subscribe(resolve);
  });
  write(createAuthorityFiles(clock.unix()));
  clock.advance(10_000);
  await changed;
  live.stop();
});

test('two replicas that start at once agree on one authority', async () => {
  let stored: AuthorityFiles | null = null;
  const store = {
    name: 'shared',
    read: () => Promise.resolve(stored),
    create(files: AuthorityFiles) {
      stored ??= files;
      return Promise.resolve(stored);
    },
  };
  const clock = new ManualClock(Date.now());
  const [a, b] = await Promise.all([
    LiveAuthority.open(store, clock, log),
    LiveAuthority.open(store, clock, log),
  ]);
  expect(a.current.bundlePem).toBe(b.current.bundlePem);
  a.stop();
  b.stop();
});

test('what is there and cannot be used stops the start', async () => {
  write({ certificate: 'x', key: 'y' });
  const opening = LiveAuthority.open(directoryStore(folder), new ManualClock(), log);
  await expect(opening).rejects.toThrow(
    `the certificate authority in directory ${folder} cannot be used: tls.crt has no certificate`,
  );
});

test('an authority that ends soon is told of', async () => {
  const clock = new ManualClock(Date.now());
  const live = await LiveAuthority.open(directoryStore(folder), clock, log);
  clock.advance(10_000);
  expect(lines.filter(({ level }) => level === 'warn')).toEqual([]);
  live.stop();
  const late = new ManualClock(Date.now() + 3000 * 86_400_000);
  const again = await LiveAuthority.open(directoryStore(folder), late, log);
  late.advance(10_000);
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  again.stop();
});

test('the serving certificate is renewed at half of its life, and at once when the authority changes', async () => {
  const clock = new ManualClock(Date.now());
  const live = await LiveAuthority.open(directoryStore(folder), clock, log);
  const serving = serveCertificate(live, ['a.example'], 3_600_000, clock, log);
  const first = serving.notAfter;
  const options = serving.credentials._getSecureContextOptions();
  clock.advance(1_700_000);
  expect(serving.notAfter).toBe(first);
  clock.advance(200_000);
  expect(serving.notAfter).toBeGreaterThan(first);
  expect(serving.credentials._getSecureContextOptions()?.cert).not.toBe(options?.cert);
  const before = serving.credentials._getSecureContextOptions()?.ca;
  write(createAuthorityFiles(clock.unix()));
  await live.reload();
  expect(serving.credentials._getSecureContextOptions()?.ca).not.toBe(before);
  serving.stop();
  live.stop();
});

test('tokens are known by their hash; the file is read again, and a broken one changes nothing', async () => {
  const file = join(folder, 'tokens.json');
  const hash = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';
  const workload = { namespace: 'shop', serviceAccount: 'web', pod: 'web-1' };
  const reviewer = directoryReviewer(file, log);
  expect((await reviewer.review('secret')).kind).toBe('refused');
  writeFileSync(file, JSON.stringify([{ ...workload, tokenSha256: hash }]));
  expect(await reviewer.review('secret')).toEqual({ kind: 'proven', workload });
  expect((await reviewer.review('Secret')).kind).toBe('refused');
  for (const [text, problem] of [
    ['{', /^it is not JSON/],
    ['{}', 'it is not a JSON array of workloads'],
    ['[{"namespace":"Shop"}]', '[0].namespace is "Shop"; use a Kubernetes name'],
    [
      JSON.stringify([{ ...workload, tokenSha256: 'secret' }]),
      '[0].tokenSha256 is not a SHA-256 in lower-case hexadecimal digits',
    ],
  ] as const) {
    writeFileSync(file, text);
    expect(await reviewer.review('secret')).toEqual({ kind: 'proven', workload });
    expect(lines.at(-1)?.problem).toEqual(
      typeof problem === 'string' ? problem : expect.stringMatching(problem),
    );
  }
  writeFileSync(file, '[]');
  expect((await reviewer.review('secret')).kind).toBe('refused');
});

test('a peer that asks too often is slowed down, and others are not', () => {
  const clock = new ManualClock();
  const allowed = createRateLimit({ burst: 3, perSecond: 1 }, clock);
  expect(['a', 'a', 'a', 'a', 'b'].map(allowed)).toEqual([true, true, true, false, true]);
  clock.advance(1000);
  expect(['a', 'a'].map(allowed)).toEqual([true, false]);
});
