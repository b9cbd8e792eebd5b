import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

/** graphql must be one copy: a second one (ESM beside CJS) refuses the other's types. */
const graphql = createRequire(import.meta.url).resolve('graphql');

export default defineConfig({
  resolve: { alias: [{ find: /^graphql$/, replacement: graphql }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], thresholds: { lines: 85 } },
  },
});
