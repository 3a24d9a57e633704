import { describe, expect, it } from 'vitest';
import { failures } from '../../api/failure.ts';
import { createLogger } from '../../runtime/log.ts';
import { AccessLog, type AccessLogMode, type AccessRecord } from './access-log.ts';
import { joinFlags, responseFlags } from './response-flags.ts';

const record: AccessRecord = {
  direction: 'outbound',
  protocol: 'http',
  method: 'GET',
  authority: 'echo',
  path: '/a?token=secret',
  status: 200,
  grpcStatus: -1,
  flags: '',
  failure: '',
  durationMs: 1.23456,
  requestBytes: 0,
  responseBytes: 100,
  attempts: 1,
  route: 'HTTPRoute/default/echo/0',
  cluster: 'service/default/echo:80',
  endpoint: '10.0.0.1:8080',
  client: '10.0.0.2:40000',
  peer: '',
  requestId: 'id',
};

function written(mode: AccessLogMode, level: string, entry: AccessRecord): Record<string, unknown>[] {
  const lines: string[] = [];
  const log = new AccessLog(createLogger('sidecar', level, { write: line => void lines.push(line) }), mode);
  if (log.wants(entry.status, entry.grpcStatus, entry.flags)) log.write(entry);
  return lines.map(line => JSON.parse(line) as Record<string, unknown>);
}

describe('AccessLog', () => {
  it.each<[AccessLogMode, Partial<AccessRecord>, number]>([
    ['off', { status: 503 }, 0],
    ['all', {}, 1],
    ['errors', {}, 0],
    ['errors', { status: 404 }, 0],
    ['errors', { status: 500 }, 1],
    ['errors', { status: 0 }, 1],
    ['errors', { grpcStatus: 14 }, 1],
    ['errors', { grpcStatus: 5 }, 0],
    ['errors', { status: 404, flags: 'NR' }, 1],
  ])('%s of %j writes %i lines', (mode, overrides, count) => {
    expect(written(mode, 'info', { ...record, ...overrides })).toHaveLength(count);
  });

  it('has the fields of Istio, whatever the level of the process, and never the query', () => {
    const [line] = written('all', 'error', record);
    expect(line).toMatchObject({
      log: 'access',
      method: 'GET',
      path: '/a',
      response_code: 200,
      response_flags: '-',
      duration: 1.235,
      bytes_sent: 100,
      route_name: 'HTTPRoute/default/echo/0',
      upstream_host: '10.0.0.1:8080',
    });
    expect(JSON.stringify(line)).not.toContain('secret');
  });
});

describe('response flags', () => {
  it('explain every flag of the failures', () => {
    for (const { flag } of Object.values(failures)) expect(responseFlags).toHaveProperty(flag);
  });

  it('are joined without repetition', () => {
    expect(joinFlags('', 'UF')).toBe('UF');
    expect(joinFlags('UF', 'URX')).toBe('UF,URX');
    expect(joinFlags('UF,URX', 'URX')).toBe('UF,URX');
  });
});
