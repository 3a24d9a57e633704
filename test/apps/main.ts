/** `main.ts server`, `main.ts idle`, or `main.ts call JSON`: what the pods of cluster tests run. */
import { type Call, call } from './call.ts';
import { serve } from './server.ts';

const [, , role, argument] = process.argv;
switch (role) {
  case 'server':
    serve();
    break;
  case 'idle':
    setInterval(() => undefined, 1 << 30);
    process.on('SIGTERM', () => process.exit(0));
    break;
  case 'call': {
    const outcome = await call(JSON.parse(argument) as Call);
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
    break;
  }
  // An application that cannot wait: the very first thing it does is a call, once, and its exit status says how it went.
  case 'first': {
    const outcome = await call({ kind: 'http', url: argument });
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
    process.exitCode = outcome.statuses['200'] === 1 ? 0 : 1;
    break;
  }
  default:
    process.stderr.write(
      `usage: main.ts server | idle | call JSON | first URL, not ${JSON.stringify(role)}\n`,
    );
    process.exitCode = 2;
}
