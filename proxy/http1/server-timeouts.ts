/** What a server connection does when nothing happens. */
import { REFUSALS } from './refusal.ts';
import type { Http1ServerConnection } from './server-connection.ts';

/** @param nowMs monotonic milliseconds, at every tick of the connection */
export function tickServer(connection: Http1ServerConnection, nowMs: number): void {
  const { phase, watch, gate, output, stream } = connection;
  const { limits, observer } = connection.codec;
  if (phase === 'closed') return;
  if (watch.stalled(nowMs, limits.bodyIdleTimeoutMs)) {
    observer.onLimit('bodyIdleTimeoutMs');
    connection.close();
    return connection.fail('timeout');
  }
  switch (phase) {
    case 'head':
      return tickHead(connection, nowMs);
    case 'body':
      // A client that we do not read from is not late.
      if (gate.closed) watch.restart();
      else if (watch.passed(nowMs, limits.bodyIdleTimeoutMs)) connection.refuseBody(REFUSALS.bodyTimeout);
      return;
    case 'wait':
      if (connection.inputEnded && stream?.waiting === true) tickHalfClosed(connection, nowMs);
      return;
    case 'linger':
      if (output.buffered > 0) watch.restart();
      else if (watch.passed(nowMs, limits.lingerTimeoutMs)) connection.close();
      return;
    case 'tunnel':
      return;
  }
}

function tickHead(connection: Http1ServerConnection, nowMs: number): void {
  const { watch, head } = connection;
  const { limits, observer } = connection.codec;
  if (head.state === 'partial' || connection.emptyLine > 0) {
    if (watch.passed(nowMs, limits.headTimeoutMs)) connection.refuse(REFUSALS.headTimeout);
  } else if (connection.draining) {
    if (watch.passed(nowMs, limits.drainIdleTimeoutMs)) connection.endOutput();
  } else if (watch.passed(nowMs, limits.idleTimeoutMs)) {
    observer.onLimit('idleTimeoutMs');
    connection.endOutput();
  }
}

function tickHalfClosed(connection: Http1ServerConnection, nowMs: number): void {
  const { limits, observer } = connection.codec;
  if (!connection.watch.passed(nowMs, limits.halfCloseTimeoutMs)) return;
  observer.onLimit('halfCloseTimeoutMs');
  connection.close();
  connection.fail('cancelled');
}
