/** What a client connection does when nothing happens. */
import type { Http1ClientConnection } from './client-connection.ts';
import type { Http1Limits } from './limits.ts';

/** @param nowMs monotonic milliseconds, at every tick of the connection */
export function tickClient(connection: Http1ClientConnection, nowMs: number): void {
  const { phase, watch, output } = connection;
  const { limits } = connection.codec;
  if (phase === 'closed') return;
  if (watch.stalled(nowMs, limits.bodyIdleTimeoutMs)) return timeOut(connection, 'bodyIdleTimeoutMs');
  switch (phase) {
    case 'head':
      return tickHead(connection, nowMs);
    case 'idle':
      return tickIdle(connection, nowMs);
    case 'linger':
      if (output.buffered > 0) watch.restart();
      else if (watch.passed(nowMs, limits.lingerTimeoutMs)) connection.close('timeout');
      return;
    case 'body':
    case 'tunnel':
      return;
  }
}

/** While a body is still being sent the upstream need not answer. */
function tickHead(connection: Http1ClientConnection, nowMs: number): void {
  const { watch, head, stream } = connection;
  const { headTimeoutMs, answerTimeoutMs } = connection.codec.limits;
  if (head.state === 'partial') {
    if (watch.passed(nowMs, headTimeoutMs)) timeOut(connection, 'headTimeoutMs');
  } else if (stream !== null && !stream.ended && !stream.asksTunnel) {
    watch.restart();
  } else if (watch.passed(nowMs, answerTimeoutMs)) {
    timeOut(connection, 'answerTimeoutMs');
  }
}

function tickIdle(connection: Http1ClientConnection, nowMs: number): void {
  const { watch, idleTimeoutMs } = connection;
  const { limits, observer } = connection.codec;
  if (connection.stream !== null) {
    if (watch.passed(nowMs, limits.bodyIdleTimeoutMs)) timeOut(connection, 'bodyIdleTimeoutMs');
  } else if (watch.passed(nowMs, idleTimeoutMs)) {
    if (idleTimeoutMs === limits.idleTimeoutMs) observer.onLimit('idleTimeoutMs');
    connection.drain();
  }
}

function timeOut(connection: Http1ClientConnection, limit: keyof Http1Limits): void {
  connection.codec.observer.onLimit(limit);
  connection.fail('timeout');
}
