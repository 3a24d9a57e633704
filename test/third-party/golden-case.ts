import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Mesh } from '../../control-plane/model/model.ts';
import { meshOfManifests } from '../../control-plane/sources/mesh-of-manifests.ts';
import type { MeshParts } from '../../control-plane/translate/mesh.fixture.ts';

/** A case of test/golden/xds, for real clients. */
export interface GoldenCase {
  readonly name: string;
  readonly parts: MeshParts;
  /** What gRPC asks for. */
  readonly grpc: readonly string[];
}

export function goldenCases(): GoldenCase[] {
  const cases = join(import.meta.dirname, '../golden/xds/cases');
  return readdirSync(cases).map(name => {
    const read = (file: string): string => readFileSync(join(cases, name, file), 'utf8');
    const { grpc = [] } = parse(read('ask.yaml')) as { grpc?: string[] };
    const { mesh } = meshOfManifests({ 'manifests.yaml': read('manifests.yaml') });
    return { name, grpc, parts: partsOf(mesh) };
  });
}

function partsOf({ services, endpoints, workloads, routes }: Mesh): MeshParts {
  return {
    services: [...services.values()],
    endpoints: [...endpoints.values()],
    workloads: [...workloads.values()],
    routes: [...routes.values()],
  };
}
