/** Everything that `npm run bench` measured, as Markdown. */
import { barTable } from './bars.ts';
import type { IdleConnections } from './idle-connections.ts';
import { figure, markdownTable } from './markdown.ts';
import type { SideBySide } from './results.ts';
import { scenarioTable } from './scenario-table.ts';
import { scenarios } from './scenarios.ts';

const KINDS: Readonly<Record<IdleConnections['kind'], string>> = {
  outbound: 'HTTP/1.1 of applications',
  inbound: 'HTTP/1.1 plaintext inbound',
  mtls: 'HTTP/2 over mutual TLS, inbound',
};

function idleTable(idle: readonly IdleConnections[]): string {
  const rows = idle.map(one => [
    one.proxy,
    KINDS[one.kind],
    figure([one.without]),
    figure([one.with]),
    figure([((one.with - one.without) * 1024) / one.connections]),
  ]);
  const header = ['proxy', 'connections', 'private MiB before', 'with 1,000', 'KiB a connection'];
  return `### 1,000 idle connections\n\n\`idle\`\n\n${markdownTable(header, rows)}`;
}

function startLine(starts: readonly number[]): string {
  return `### Start\n\n\`start\`\n\nExec to ready over ${starts.length} starts, ms: ${figure(starts)}.`;
}

export function sideBySideReport(results: SideBySide): string {
  const { date, machine, versions, runs, seconds, measurements, idle, starts } = results;
  const all = Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const measured = scenarios.filter(({ name }) => measurements.some(({ scenario }) => scenario === name));
  return [
    `${date}, ${machine}; ${all}; ${runs} ${runs === 1 ? 'run' : 'runs'} of ${seconds} s; median (smallest–largest).`,
    barTable(results),
    ...measured.map(scenario => scenarioTable(scenario, measurements)),
    ...(idle.length > 0 ? [idleTable(idle)] : []),
    ...(starts.length > 0 ? [startLine(starts)] : []),
  ].join('\n\n');
}
