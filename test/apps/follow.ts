/**
 * Asks the same URL all the time, at a low rate, and prints a line of JSON whenever another version answers than before:
 * `main.ts follow '{"url":"http://server/","everyMs":100}'`. Times are of the system's clock, which all pods of a node share.
 */

import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Follow {
  readonly url: string;
  readonly everyMs: number;
}

export interface Turn {
  /** Of the application that answers; `503 CONNECT_FAILED` and the like where none does. */
  readonly version: string;
  /** When its first answer was there, ms since 1970. */
  readonly at: number;
  /** When the last request began that was answered by the one before; 0 for the first. */
  readonly notBefore: number;
}

function ask(url: string, agent: Agent): Promise<string> {
  return new Promise(resolve => {
    const outgoing = request(url, { agent, timeout: 20_000 }, response => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => {
        const { statusCode, headers } = response;
        const failed = `${statusCode} ${String(headers['tulle-error'] ?? '').split(';')[0]}`;
        resolve(statusCode === 200 ? (JSON.parse(body) as { version: string }).version : failed);
      });
      response.on('error', error => resolve(error.message));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')));
    outgoing.on('error', error => resolve(error.message));
    outgoing.end();
  });
}

export async function main(argument: string): Promise<void> {
  const { url, everyMs } = JSON.parse(argument) as Follow;
  process.on('SIGTERM', () => process.exit(0));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let last = '';
  let before = 0;
  // Pods that start together must not ask together.
  await sleep(Math.random() * everyMs);
  for (;;) {
    const began = Date.now();
    const version = await ask(url, agent);
    if (version !== last)
      process.stdout.write(
        `${JSON.stringify({ version, at: Date.now(), notBefore: before } satisfies Turn)}\n`,
      );
    last = version;
    before = began;
    await sleep(Math.max(0, began + everyMs - Date.now()));
  }
}
