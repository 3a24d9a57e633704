#!/usr/bin/env node
/**
 * The `tulle` command, and the roles of the container image. Each command is loaded only when it is called, so that a
 * sidecar holds no code of the control plane.
 */
import { version } from '../api/version.ts';
import { SettingsError } from '../runtime/settings.ts';
import { UsageError } from './usage.ts';

interface Command {
  description: string;
  run(args: readonly string[]): Promise<void>;
}

type Role = () => Promise<{ main(environment: NodeJS.ProcessEnv): Promise<void> }>;

/** A role of the image: its settings are in the environment, and it takes no arguments. */
function role(description: string, load: Role): Command {
  return {
    description,
    async run(args) {
      if (args.length > 0)
        throw new UsageError(`unexpected argument ${args[0]}; settings are environment variables`);
      await (await load()).main(process.env);
    },
  };
}

const commands: Readonly<Record<string, Command>> = {
  install: {
    description: 'print the manifests of the control plane and the injector',
    run: async args => (await import('./install/main.ts')).main(args),
  },
  injection: {
    description: 'list which pods have a sidecar, and why the others have none',
    run: async args => (await import('./injection/main.ts')).main(args),
  },
  sidecar: role('run the proxy of a pod', () => import('../proxy/main.ts')),
  'control-plane': role('run the control plane', () => import('../control-plane/main.ts')),
  injector: role('run the admission webhooks', () => import('../injector/main.ts')),
  init: role("write a pod's redirection rules", () => import('../injector/redirect/main.ts')),
  version: {
    description: 'print the version',
    run: async () => console.log(version),
  },
};

function usage(): string {
  const width = Math.max(...Object.keys(commands).map(name => name.length));
  const lines = Object.entries(commands).map(([name, of]) => `  ${name.padEnd(width)}  ${of.description}`);
  return `usage: tulle COMMAND [OPTION...]\n\n${lines.join('\n')}`;
}

const [name, ...args] = process.argv.slice(2);
const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  const asked = name === 'help' || name === '--help' || name === '-h';
  (asked ? console.log : console.error)(
    name === undefined || asked ? usage() : `tulle: no command ${name}\n\n${usage()}`,
  );
  process.exitCode = asked ? 0 : 2;
} else {
  try {
    await command.run(args);
  } catch (error) {
    // What the user can put right is one line; anything else comes with its stack.
    const expected = error instanceof UsageError || error instanceof SettingsError;
    console.error(
      `tulle ${name}: ${expected || !(error instanceof Error) ? String((error as Error).message ?? error) : error.stack}`,
    );
    process.exit(error instanceof UsageError ? 2 : 1);
  }
}
