import { expect, test } from 'vitest';
import { Backoff } from '../../../runtime/backoff.ts';
import { ManualClock } from '../../../runtime/clock.ts';
import { ApiError, type WatchEvent } from '../../../runtime/kubernetes/api-client.ts';
import { createLogger } from '../../../runtime/log.ts';
import { Reflector } from './reflector.ts';

const item = (name: string, resourceVersion = '1') => ({ metadata: { name, resourceVersion } });
const page = (names: readonly string[], resourceVersion: string, next = '') => ({
  metadata: { resourceVersion, continue: next },
  items: names.map(name => item(name)),
});
const event = (
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK',
  name: string,
  version: string,
): WatchEvent => ({
  type,
  object: item(name, version),
});
const error = (code: number): WatchEvent => ({ type: 'ERROR', object: { code, message: 'x' } });
/** A watch that stays open until it is given up. */
const open = 'open';

/** Plays answers in order: of lists a page or an error, of watches events. Ends when they are used up. */
async function play(options: {
  lists: unknown[];
  watches: (readonly (WatchEvent | typeof open)[] | Error)[];
  paths?: (string | null)[];
}): Promise<string[]> {
  const seen: string[] = [];
  const clock = new ManualClock();
  const { lists, watches, paths = [] } = options;
  const next = <T>(answers: T[]): T => {
    const answer = answers.shift();
    if (lists.length + watches.length === 0 && answer === undefined) reflector.stop();
    if (answer === undefined) throw new Error('no more answers');
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const log = (url: string): string =>
    decodeURIComponent(url).replace(/&timeoutSeconds=\d+|allowWatchBookmarks=true&/g, '');
  const reflector = new Reflector({
    api: {
      async get<T>(url: string) {
        seen.push(`list ${log(url)}`);
        await Promise.resolve();
        return next(lists) as T;
      },
      async *watch(url, signal) {
        seen.push(`watch ${log(url)}`);
        await Promise.resolve();
        for (const step of next(watches) as (WatchEvent | typeof open)[]) {
          if (step !== open) yield step;
          else {
            const ended = new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error));
            });
            clock.advance(5000);
            await ended;
          }
        }
      },
    },
    path: () => Promise.resolve(paths.length === 0 ? '/pods' : (paths.shift() ?? null)),
    key: object => (object as { metadata: { name: string } }).metadata.name,
    onObject: object => seen.push(`+${(object as { metadata: { name: string } }).metadata.name}`),
    onDelete: key => seen.push(`-${key}`),
    onSynced: () => seen.push('synced'),
    backoff: new Backoff(10, 1000, () => 0.5),
    random: () => 0.5,
    clock,
    log: createLogger('test', 'silent'),
    silenceMs: 5000,
    pageSize: 2,
  });
  const pump = setInterval(() => clock.advance(200), 1);
  await reflector.run();
  clearInterval(pump);
  return seen;
}

test('pages are put together, and the watch goes on from the list and then from each event', async () => {
  const seen = await play({
    lists: [page(['a', 'b'], '5', 'token'), page(['c'], '5')],
    watches: [[event('ADDED', 'd', '6'), event('DELETED', 'a', '7'), event('BOOKMARK', '', '9')], []],
  });
  expect(seen.slice(0, 10)).toEqual([
    'list /pods?limit=2',
    '+a',
    '+b',
    'list /pods?limit=2&continue=token',
    '+c',
    'synced',
    'watch /pods?watch=1&resourceVersion=5',
    '+d',
    '-a',
    'watch /pods?watch=1&resourceVersion=9',
  ]);
});

test.each([
  ['an event in the stream', [error(410)]],
  ['the status of the answer', new ApiError('GET', '/pods', 410, 'expired')],
])('a version that is too old, by %s, lists again and deletes only what has gone', async (_, expired) => {
  const seen = await play({ lists: [page(['a', 'b'], '5'), page(['b', 'c'], '20')], watches: [expired, []] });
  expect(seen.slice(3)).toEqual([
    'synced',
    'watch /pods?watch=1&resourceVersion=5',
    'list /pods?limit=2',
    '+b',
    '+c',
    '-a',
    'synced',
    'watch /pods?watch=1&resourceVersion=20',
    expect.any(String),
  ]);
});

test('a list that becomes too old between two pages is taken in one', async () => {
  const seen = await play({
    lists: [page(['a'], '5', 'token'), new ApiError('GET', '/pods', 410, 'expired'), page(['b'], '6')],
    watches: [],
  });
  expect(seen.slice(0, 6)).toEqual([
    'list /pods?limit=2',
    '+a',
    'list /pods?limit=2&continue=token',
    'list /pods?limit=0',
    '+b',
    'synced',
  ]);
});

test('errors of the server are waited out where they happen; nothing is deleted', async () => {
  const down = new Error('ECONNREFUSED');
  const seen = await play({
    lists: [down, new ApiError('GET', '/pods', 503, 'busy'), page(['a'], '5')],
    watches: [[event('MODIFIED', 'a', '6'), error(500)], down, [event('ADDED', 'b', '8')]],
  });
  expect(seen.slice(0, 10)).toEqual([
    'list /pods?limit=2',
    'list /pods?limit=2',
    'list /pods?limit=2',
    '+a',
    'synced',
    'watch /pods?watch=1&resourceVersion=5',
    '+a',
    'watch /pods?watch=1&resourceVersion=6',
    'watch /pods?watch=1&resourceVersion=6',
    '+b',
  ]);
});

test('a watch that says nothing is given up and begun again', async () => {
  const seen = await play({
    lists: [page(['a'], '5')],
    watches: [[event('MODIFIED', 'a', '6'), open], [event('MODIFIED', 'a', '7')]],
  });
  expect(seen.slice(3, 7)).toEqual([
    'watch /pods?watch=1&resourceVersion=5',
    '+a',
    'watch /pods?watch=1&resourceVersion=6',
    '+a',
  ]);
});

test('a collection that does not exist is empty, and is looked for again; one that goes takes its objects along', async () => {
  const seen = await play({
    paths: [null, '/v1/x', null, '/v2/x'],
    lists: [page(['a'], '5'), page(['b'], '6')],
    watches: [new ApiError('GET', '/v1/x', 404, 'not found')],
  });
  expect(seen.slice(0, 9)).toEqual([
    'synced',
    'list /v1/x?limit=2',
    '+a',
    'synced',
    'watch /v1/x?watch=1&resourceVersion=5',
    '-a',
    'synced',
    'list /v2/x?limit=2',
    '+b',
  ]);
});
