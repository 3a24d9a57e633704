/** The same as grpcio-client.py with @grpc/grpc-js and its xDS plugin. */
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { register, XdsChannelCredentials } from '@grpc/grpc-js-xds';

register();

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

if (mode === 'ask') {
  const opened = new Map<string, Client>();
  for await (const line of createInterface(process.stdin)) {
    const { target, path, fields, count } = JSON.parse(line) as Asked;
    const client = opened.get(target) ?? new Client(target, insecure);
    opened.set(target, client);
    const metadata = new Metadata();
    for (let i = 0; i < fields.length; i += 2) metadata.add(fields[i], fields[i + 1]);
    const outcomes: Outcome[] = [];
    for (let i = 0; i < count; i++) outcomes.push(await call(client, path, metadata, 20_000));
    process.stdout.write(`${JSON.stringify(outcomes)}\n`);
  }
} else if (mode.startsWith('watch')) {
  process.stdin.resume();
  for (const client of clients) client.getChannel().getConnectivityState(true);
} else {
  process.stdin.resume();
  while (!isDone) {
    for (const client of clients) {
      const { code, details, body } = await call(client, '/echo.Echo/Say', new Metadata(), 5000);
      process.stdout.write(code === 0 ? `ok ${body}\n` : `error ${code} ${details}\n`);
      await wait(1);
    }
  }
}

interface Asked {
  readonly target: string;
  readonly path: string;
  /** Flat: name, value, name, value. */
  readonly fields: readonly string[];
  readonly count: number;
}

interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly body: string;
}

function call(client: Client, path: string, metadata: Metadata, limitMs: number): Promise<Outcome> {
  return new Promise(resolve => {
    const deadline = Date.now() + limitMs;
    const options = { deadline };
    client.makeUnaryRequest(path, identity, identity, Buffer.alloc(0), metadata, options, (error, answer) =>
      resolve({ code: error?.code ?? 0, details: error?.details ?? '', body: String(answer ?? '') }),
    );
  });
}
