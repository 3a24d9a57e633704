import { expect, it } from 'vitest';
import { OmissionList } from './omission-list.ts';

const of = (rule: string, field = 'retry.backoff', subject = 'HTTPRoute/shop/web') => ({
  subject,
  rule,
  field,
  instead: 'it waits less',
});

function start() {
  const told: [string, readonly string[]][] = [];
  const list = new OmissionList((subject, sentences) => told.push([subject, sentences]));
  return { list, told: () => told.splice(0) };
}

it('tells a sentence for each dialect and field, with its rules in order', () => {
  const { list, told } = start();
  list.set('a', 'envoy', [of('10'), of('2'), of('2'), of('slow'), of('2', 'filters.cors')]);
  expect(told()).toEqual([
    [
      'HTTPRoute/shop/web',
      [
        'Envoy cannot be told filters.cors of rule 2: it waits less',
        'Envoy cannot be told retry.backoff of rules 2, 10, slow: it waits less',
      ],
    ],
  ]);
  list.set('b', 'grpc', [of('', 'retryConstraint', 'XBackendTrafficPolicy/shop/p')]);
  expect(told()).toEqual([
    ['XBackendTrafficPolicy/shop/p', ['gRPC clients cannot be told retryConstraint: it waits less']],
  ]);
});

it('tells nothing twice, and that it is over when the last resource that lacks it is gone', () => {
  const { list, told } = start();
  list.set('a', 'envoy', [of('1')]);
  list.set('a', 'envoy', [of('1')]);
  list.set('b', 'envoy', [of('1')]);
  expect(told()).toHaveLength(1);
  list.set('a', 'envoy', []);
  expect(told()).toEqual([]);
  list.set('b', 'envoy', []);
  list.set('b', 'envoy', []);
  expect(told()).toEqual([['HTTPRoute/shop/web', []]]);
});
