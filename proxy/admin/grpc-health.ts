import { connect } from 'node:net';
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Clock } from '../../runtime/clock.ts';
import type { CallRequest } from '../grpc/call.ts';
import { describeStatus } from '../grpc/status.ts';
import { callOnce } from '../grpc/unary.ts';
import { Http2ClientConnection } from '../http2/client-connection.ts';
import { UNTRUSTED_LIMITS } from '../http2/limits.ts';
import type { Http2Workspace } from '../http2/workspace.ts';
import type { ApplicationAddress } from '../own-addresses.ts';
import { SocketTransport, type TransportShared } from '../transport/socket-transport.ts';

export interface HealthContext {
  readonly transport: TransportShared;
  readonly workspace: Http2Workspace;
  readonly clock: Clock;
}

/** The outcome of a probe: null if all is well, else why not. `refused`: nobody listens there. */
export type Ailment = { readonly reason: string; readonly refused: boolean } | null;

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
const SERVING = 1;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

const noUser = { receive() {}, receiveEnd() {}, closed() {} };
const noOwner = { onCapacity() {}, onDraining() {}, onClosed() {} };
const noObserver = { onLimit() {}, onFault() {}, onRoundTrip() {} };

/** grpc.health.v1.Health/Check in plaintext, as the kubelet does it (KEP-2727). Never rejects. */
export function checkHealth(
  context: HealthContext,
  { address, source }: ApplicationAddress,
  port: number,
  service: string,
  timeoutMs: number,
): Promise<Ailment> {
  return new Promise(resolve => {
    const transport = new SocketTransport(context.transport, noUser);
    const socket = connect({
      host: address,
      port,
      ...(source === undefined ? {} : { localAddress: source }),
      noDelay: true,
      allowHalfOpen: true,
      onread: transport.onread(),
    });
    const finish = (ailment: Ailment): void => {
      cancelTimer();
      socket.destroy();
      resolve(ailment);
    };
    const fail = (reason: string, refused = false): void => finish({ reason, refused });
    const cancelTimer = context.clock.after(timeoutMs, () => fail(`no connection within ${timeoutMs} ms`));
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.message, error.code === 'ECONNREFUSED'));
    socket.once('connect', () => {
      cancelTimer();
      transport.attach(socket, true);
      const connection = new Http2ClientConnection({
        transport,
        workspace: context.workspace,
        limits: UNTRUSTED_LIMITS,
        observer: noObserver,
        clock: () => context.clock.now(),
        owner: noOwner,
      });
      transport.user = connection;
      const request: CallRequest = {
        scheme: 'http',
        authority: `${address.includes(':') ? `[${address}]` : address}:${port}`,
        path: '/grpc.health.v1.Health/Check',
        metadata: [],
      };
      const message = new BinaryWriter().uint32(10).string(service).finish();
      void callOnce(connection, request, message, timeoutMs, context.clock).then(result => {
        if (result.kind === 'failed') fail(describeStatus(result.status));
        else if (statusOf(result.message) === SERVING) finish(null);
        else fail(`the application says ${STATUS_NAMES[statusOf(result.message)] ?? 'an unknown status'}`);
      });
    });
  });
}

/** HealthCheckResponse.status; 0 if it is not there or the message cannot be read. */
function statusOf(message: Buffer): number {
  try {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1) return reader.int32();
      reader.skip(type);
    }
  } catch {
    return 0;
  }
  return 0;
}
