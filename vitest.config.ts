import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    // These have a configuration of their own, as they need root or a cluster.
    exclude: [...configDefaults.exclude, 'test/{cluster,netns}/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
