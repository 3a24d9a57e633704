import { onEnd } from './apps.ts';
import { TestMesh } from './test-mesh.ts';

export * from './configuration.ts';
export { type Sidecar, TestMesh } from './test-mesh.ts';

/** A mesh that ends with the test. */
export function testMesh(): TestMesh {
  const mesh = new TestMesh();
  onEnd(() => mesh.close());
  return mesh;
}
