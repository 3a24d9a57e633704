/**
 * Load of an echo service: each connection sends a message, waits for all of it, compares, and sends the next.
 * Arguments: address, port, connections, bytes a message, seconds. Prints a ProgramResult as JSON.
 */
import { connect } from 'node:net';
import type { ProgramResult } from './program.ts';

const [address, ...numbers] = process.argv.slice(2);
const [port, connections, bytes, seconds] = numbers.map(Number);

const message = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8)) & 255));
const result: ProgramResult = { requests: 0, failed: 0, seconds };
let ended = false;

function open(): void {
  let received = 0;
  const socket = connect({
    host: address,
    port,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(65_536),
      callback(length, buffer) {
        const differs = message.compare(buffer, 0, length, received, received + length) !== 0;
        received += length;
        if (differs || received > bytes) {
          result.failed++;
          socket.destroy();
        } else if (received === bytes && !ended) {
          received = 0;
          result.requests++;
          socket.write(message);
        }
        return true;
      },
    },
  });
  socket.on('connect', () => socket.write(message));
  const lost = (): void => {
    if (!ended) result.failed++;
  };
  socket.on('error', lost);
  socket.on('end', lost);
}

const started = performance.now();
for (let i = 0; i < connections; i++) open();
setTimeout(() => {
  ended = true;
  result.seconds = (performance.now() - started) / 1000;
  process.stdout.write(JSON.stringify(result), () => process.exit());
}, seconds * 1000);
