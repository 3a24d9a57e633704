/** `tulle install`: prints manifests for `kubectl apply -f -`. */
import { manifests, render } from './manifests.ts';
import { installUsage, parseInstallOptions } from './options.ts';

export async function main(args: readonly string[]): Promise<void> {
  const options = parseInstallOptions(args);
  const output = options === null ? `${installUsage()}\n` : render(manifests(options));
  // A pipe takes the output in parts; the process must not end before the last.
  await new Promise<void>(resolve => process.stdout.write(output, () => resolve()));
}
