import { drain } from '../../../proxy/listener/drain.ts';
import type { Stack } from '../../../proxy/listener/stack.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/log.ts';
import { onEnd } from './apps.ts';
import { TestMesh } from './test-mesh.ts';

export * from './configuration.ts';
export { type Sidecar, TestMesh } from './test-mesh.ts';

/** Drains one side of a proxy. */
export function drainStack(stack: Stack, deadlineMs: number): Promise<void> {
  return drain(systemClock, createLogger('test', 'fatal'), { stack }, deadlineMs);
}

/** A mesh that ends with the test. */
export function testMesh(): TestMesh {
  const mesh = new TestMesh();
  onEnd(() => mesh.close());
  return mesh;
}
