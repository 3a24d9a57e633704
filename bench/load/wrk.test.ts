import { expect, it } from 'vitest';
import { parseWrk } from './wrk.ts';

const report = (rest: string): string => `Running 3s test @ http://127.99.2.1:19001/64k
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.31ms    1.02ms  21.80ms   93.12%
    Req/Sec    14.13k     1.20k   15.99k    70.97%
  ${rest}
Requests/sec:  14033.11
Transfer/sec:      0.86GB
`;

it('reads requests and seconds', () => {
  const result = parseWrk(report('43503 requests in 3.10s, 2.66GB read'));
  expect(result).toMatchObject({ requests: 43_503, failed: 0, seconds: 3.1 });
});

it('reads the longer and the shorter unit of time', () => {
  expect(parseWrk(report('5 requests in 500.00ms, 1KB read')).seconds).toBe(0.5);
  expect(parseWrk(report('5 requests in 1.50m, 1KB read')).seconds).toBe(90);
});

it('counts refused answers and socket errors as failed', () => {
  const result = parseWrk(
    report(
      '100 requests in 1.00s, 1KB read\n  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 30',
    ),
  );
  expect(result.failed).toBe(40);
});

it('shows what it cannot read', () => {
  expect(() => parseWrk('unable to connect')).toThrow('unable to connect');
});
