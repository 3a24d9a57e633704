import type { Clock } from '../../runtime/clock.ts';
import type { ClientConnection } from '../exchange/stream.ts';
import { type CallRequest, GrpcCall } from './call.ts';
import { type GrpcStatus, statusCodes } from './status.ts';

export type UnaryResult =
  | { readonly kind: 'answer'; readonly message: Buffer }
  | { readonly kind: 'failed'; readonly status: GrpcStatus };

/** One message there and one back, within `timeoutMs`. Never rejects. */
export function callOnce(
  connection: ClientConnection,
  request: CallRequest,
  message: Uint8Array,
  timeoutMs: number,
  clock: Clock,
): Promise<UnaryResult> {
  return new Promise(resolve => {
    let answer: Buffer | null = null;
    const call = new GrpcCall(connection, request, {
      onMessage(received) {
        answer = received;
      },
      onEnd(status) {
        cancelTimer();
        if (status.code !== statusCodes.ok) resolve({ kind: 'failed', status });
        else if (answer !== null) resolve({ kind: 'answer', message: answer });
        else resolve({ kind: 'failed', status: { code: statusCodes.internal, message: 'no message came' } });
      },
    });
    const cancelTimer = clock.after(timeoutMs, () => {
      call.cancel();
      const text = `no answer within ${timeoutMs} ms`;
      resolve({ kind: 'failed', status: { code: statusCodes.deadlineExceeded, message: text } });
    });
    call.sendLast(message);
  });
}
