import { defineConfig } from 'vitest/config';

/** Tests with real redirection in network namespaces; they need root. */
export default defineConfig({
  test: {
    include: ['test/netns/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Namespaces and addresses are the machine's: one file at a time.
    maxWorkers: 1,
    fileParallelism: false,
    passWithNoTests: true,
  },
});
