import { connect } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import type { ProbeAction, ProbeConfig, ProbeTable } from '../config/probe-table.ts';
import type { ApplicationAddress } from '../own-addresses.ts';
import { type AdminResponse, text } from './admin-server.ts';
import { type Ailment, checkHealth, type HealthContext } from './grpc-health.ts';
import { type GetContext, httpGet } from './http-get.ts';

/** As much of an answer as the kubelet looks at. */
const MAX_BODY_BYTES = 10 * 1024;

export interface ProbeContext extends GetContext, HealthContext {
  readonly table: ProbeTable;
  /** Where the application may listen on a port, in the order in which it is tried. */
  readonly addresses: (port: number) => readonly (ApplicationAddress & { readonly port: number })[];
}

/** Makes the probe of a path for the kubelet, which has no certificate of the mesh. */
export async function probe(context: ProbeContext, path: string): Promise<AdminResponse> {
  const config = context.table.get(path);
  if (config === undefined) return text(404, `the sidecar has no probe ${path}; see TULLE_PROBES\n`);
  let response = text(503, 'the application listens nowhere\n');
  for (const at of context.addresses(config.action.port)) {
    const outcome = await attempt(context, config, at, at.port);
    response = outcome.response;
    if (!outcome.refused) break;
  }
  return response;
}

interface Outcome {
  readonly response: AdminResponse;
  /** Nobody listens there: perhaps at the next address. */
  readonly refused: boolean;
}

const outcomeOf = (ailment: Ailment): Outcome =>
  ailment === null
    ? { response: text(200, 'ok\n'), refused: false }
    : { response: text(503, `${ailment.reason}\n`), refused: ailment.refused };

async function attempt(
  context: ProbeContext,
  { action, timeoutMs }: ProbeConfig,
  at: ApplicationAddress,
  port: number,
): Promise<Outcome> {
  switch (action.kind) {
    case 'http':
      return attemptHttp(context, action, at, port, timeoutMs);
    case 'tcp':
      return outcomeOf(await connects(context.clock, at, port, timeoutMs));
    case 'grpc':
      return outcomeOf(await checkHealth(context, at, port, action.service, timeoutMs));
  }
}

async function attemptHttp(
  context: ProbeContext,
  action: Extract<ProbeAction, { kind: 'http' }>,
  at: ApplicationAddress,
  port: number,
  timeoutMs: number,
): Promise<Outcome> {
  const { authority, fields } = splitHost(action.fields, at.address, action.port);
  const result = await httpGet(context, {
    ...at,
    port,
    tls: action.tls,
    authority,
    path: action.path,
    fields: ['user-agent', 'kube-probe/tulle', ...fields],
    timeoutMs,
    maxBytes: MAX_BODY_BYTES,
  });
  if (result.kind === 'failed') return outcomeOf(result);
  const { status, body } = result;
  // The kubelet takes 200 to 399 for success; a redirect is not followed here, so it is one.
  const shown = status >= 300 && status < 400 ? 200 : status;
  return { response: text(shown, body.toString('utf8')), refused: false };
}

/** A probe may set Host; otherwise it is the address, as the kubelet has it. */
function splitHost(
  all: readonly string[],
  address: string,
  port: number,
): { authority: string; fields: string[] } {
  const fields: string[] = [];
  let authority = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  for (let i = 0; i < all.length; i += 2) {
    if (all[i] === 'host') authority = all[i + 1];
    else fields.push(all[i], all[i + 1]);
  }
  return { authority, fields };
}

function connects(
  clock: Clock,
  { address, source }: ApplicationAddress,
  port: number,
  timeoutMs: number,
): Promise<Ailment> {
  return new Promise(resolve => {
    const socket = connect({
      host: address,
      port,
      ...(source === undefined ? {} : { localAddress: source }),
    });
    const finish = (ailment: Ailment): void => {
      cancelTimer();
      socket.destroy();
      resolve(ailment);
    };
    const cancelTimer = clock.after(timeoutMs, () =>
      finish({ reason: `no connection within ${timeoutMs} ms`, refused: false }),
    );
    socket.once('connect', () => finish(null));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish({ reason: error.message, refused: error.code === 'ECONNREFUSED' }),
    );
  });
}
