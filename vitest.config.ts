import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      '{api,runtime,proxy,control-plane,injector,cli,bench}/**/*.test.ts',
      'test/{unit,integration,attacks,backpressure,drain,smuggling,fuzz,golden,architecture,third-party,h2spec,peers}/**/*.test.ts',
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
