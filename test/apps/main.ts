/**
 * What the pods of cluster tests run: `main.ts server`, `main.ts idle`, `main.ts call JSON`, `main.ts first URL`,
 * `main.ts relay`, `main.ts follow JSON`, `main.ts load RATE`. Each role loads only its own code, so that `first` really is first.
 */

const [, , role, argument = ''] = process.argv;
switch (role) {
  case 'server':
    (await import('./server.ts')).serve();
    break;
  case 'idle':
    setInterval(() => undefined, 1 << 30);
    process.on('SIGTERM', () => process.exit(0));
    break;
  case 'call':
    await (await import('./call.ts')).main(argument);
    break;
  case 'first':
    (await import('./first.ts')).main(argument);
    break;
  case 'relay':
    (await import('./relay.ts')).main();
    break;
  case 'follow':
    await (await import('./follow.ts')).main(argument);
    break;
  case 'load':
    (await import('./load.ts')).main(argument);
    break;
  default:
    process.stderr.write(
      `usage: main.ts server | idle | call JSON | first URL | relay | follow JSON | load RATE, not ${JSON.stringify(role)}\n`,
    );
    process.exitCode = 2;
}
