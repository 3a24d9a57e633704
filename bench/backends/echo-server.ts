/** Sends back what it receives. Arguments: address and port. */
import { createServer } from 'node:net';

const [address, port] = process.argv.slice(2);

const server = createServer({ noDelay: true }, socket => {
  socket.on('data', chunk => {
    socket.write(chunk);
  });
  // A load generator that has seen enough resets its connections.
  socket.on('error', () => socket.destroy());
});
server.listen(Number(port), address);
process.on('SIGTERM', () => process.exit());
