/** The same as grpcio-client.py with @grpc/grpc-js and its xDS plugin. */
import { setTimeout as wait } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import { register, XdsChannelCredentials } from '@grpc/grpc-js-xds';

register();

const path = '/echo.Echo/Say';
const identity = (bytes: Buffer): Buffer => bytes;
const [mode, ...targets] = process.argv.slice(2);
const insecure = credentials.createInsecure();
const chosen = mode.endsWith('-tls') ? new XdsChannelCredentials(insecure) : insecure;
const clients = targets.map(target => new Client(target, chosen));
let isDone = false;
process.stdin.on('end', () => {
  isDone = true;
  for (const client of clients) client.close();
  process.exit(0);
});
process.stdin.resume();

if (mode.startsWith('watch')) {
  for (const client of clients) client.getChannel().getConnectivityState(true);
} else {
  while (!isDone) {
    for (const client of clients) {
      process.stdout.write(`${await call(client)}\n`);
      await wait(1);
    }
  }
}

function call(client: Client): Promise<string> {
  return new Promise(resolve => {
    const deadline = Date.now() + 5000;
    client.makeUnaryRequest(path, identity, identity, Buffer.alloc(0), { deadline }, (error, answer) => {
      resolve(error === null ? `ok ${answer?.toString()}` : `error ${error.code} ${error.details}`);
    });
  });
}
