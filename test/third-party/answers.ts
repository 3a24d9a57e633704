import type { TestServer } from '../../control-plane/xds/server.fixture.ts';

async function sums(server: TestServer): Promise<{ pushes: number; answers: number }> {
  const text = await server.registry.metrics();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'gm'))].reduce(
      (all, [, n]) => all + Number(n),
      0,
    );
  const answers = sum('tulle_xds_convergence_milliseconds_count') + sum('tulle_xds_nacks_total');
  return { pushes: sum('tulle_xds_pushes_total'), answers };
}

/** Responses that were acknowledged or refused. */
export async function answers(server: TestServer): Promise<number> {
  return (await sums(server)).answers;
}

/** Every response has been answered. */
export async function isQuiet(server: TestServer): Promise<boolean> {
  const { pushes, answers } = await sums(server);
  return pushes === answers;
}
