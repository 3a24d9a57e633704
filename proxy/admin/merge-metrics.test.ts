import { expect, test } from 'vitest';
import { isReplaced, readApplicationMetrics } from './merge-metrics.ts';

test('families come together, and what parsers refuse to see twice is left out', () => {
  const { text } = readApplicationMetrics(
    [
      '# HELP a_total A.',
      '# TYPE a_total counter',
      'a_total{x="1"} 1',
      '# TYPE b histogram',
      'b_bucket{le="+Inf"} 2',
      'b_sum 3',
      'b_count 2',
      '# TYPE a_total counter',
      'a_total{x="2"} 4',
      '',
      '# just a comment',
      'untyped 5\r',
      '# EOF',
    ].join('\n'),
  );
  expect(text.split('\n')).toEqual([
    '# HELP a_total A.',
    '# TYPE a_total counter',
    'a_total{x="1"} 1',
    'a_total{x="2"} 4',
    '# TYPE b histogram',
    'b_bucket{le="+Inf"} 2',
    'b_sum 3',
    'b_count 2',
    'untyped 5',
    '',
  ]);
});

test("of the process metrics the application's count, of the mesh's the sidecar's", () => {
  const application = readApplicationMetrics(
    '# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\nistio_requests_total 9\ntulle_fake 1\nmine 1\n',
  );
  expect(application.text).toBe(
    '# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1\nmine 1\n',
  );
  expect(isReplaced('# HELP process_cpu_seconds_total CPU.\n', application)).toBe(true);
  expect(isReplaced('process_cpu_seconds_total 7\n', application)).toBe(true);
  expect(isReplaced('process_resident_memory_bytes 7\n', application)).toBe(false);
  expect(isReplaced('istio_requests_total{a="b"} 7\n', application)).toBe(false);
});

test('an exposition that ends without a newline still ends with one', () => {
  expect(readApplicationMetrics('a 1').text).toBe('a 1\n');
});
