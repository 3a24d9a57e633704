import { expect, it } from 'vitest';
import { parseH2load, parseLatencies } from './h2load.ts';

const report = (requests: string, codes: string): string => `finished in 3.00s, 1998.00 req/s, 234.36KB/s
requests: ${requests}
status codes: ${codes}
traffic: 703.10KB (719970) total, 17.56KB (17982) headers (space savings 90.00%), 585.35KB (599400) data
`;

it('counts what was done, and what was not answered with success', () => {
  const output = report(
    '5994 total, 5994 started, 5994 done, 5990 succeeded, 4 failed, 0 errored, 0 timeout',
    '5990 2xx, 0 3xx, 0 4xx, 4 5xx',
  );
  expect(parseH2load(output)).toEqual({ requests: 5994, failed: 4 });
});

it('shows what it cannot read', () => {
  expect(() => parseH2load('could not connect to host')).toThrow('could not connect to host');
});

it('reads durations from the log, in milliseconds', () => {
  const log = '1795260000000000\t200\t1500\n1795260000000400\t200\t250\n';
  expect([...parseLatencies(log)]).toEqual([1.5, 0.25]);
});
