import { defineConfig } from 'vitest/config';

/**
 * Tests against a real Kubernetes: the one that KUBECONFIG names, or the one that ../shared/cluster starts. The image is
 * built and imported, and Tulle installed, once for all files.
 */
export default defineConfig({
  test: {
    include: ['test/cluster/**/*.test.ts'],
    globalSetup: ['test/cluster/harness/setup.ts', 'test/apps/image.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // They share one installation, and some take it down.
    maxWorkers: 1,
    fileParallelism: false,
  },
});
