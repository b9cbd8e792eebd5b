import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

/** graphql must be one copy: a second one (ESM beside CJS) refuses the other's types. */
const graphql = createRequire(import.meta.url).resolve('graphql');

/** Tests of several processes that spend most of their time waiting for leases and limits to run out, and measure nothing. */
const waiting = ['agent', 'drain', 'ingestion', 'interrupts', 'main-job', 'postgres', 'races', 'roles', 'takeover', 'workers'].map((name) => `test/system/${name}.test.ts`);

/** One more than the smallest machine has cores: a third of the time is spent waiting for timers, servers and leases. */
const maxWorkers = 3;

export default defineConfig({
  resolve: { alias: [{ find: /^graphql$/, replacement: graphql }] },
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What is waited for comes at once on an idle machine; on a busy one it may take a while, and the default of a second is no promise of ours.
    expect: { poll: { timeout: 20_000, interval: 20 } },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], thresholds: { lines: 85 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**', 'test/docs/**'],
          globalSetup: 'test/support/global-setup.ts',
          // Modules are read once per worker, not once per file, which took a third of the time: a file leaves nothing behind in them.
          isolate: false,
          maxWorkers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Samples of the documentation stand in for modules.
        extends: true,
        test: { name: 'docs', include: ['test/docs/**/*.test.ts'], globalSetup: 'test/support/global-setup.ts', maxWorkers, sequence: { groupOrder: 0 } },
      },
      {
        // The whole counts of a soak one after the other.
        extends: true,
        test: { name: 'recovery', include: waiting, maxWorkers: process.env['SOAK'] ? 1 : maxWorkers, sequence: { groupOrder: 1 } },
      },
      {
        // Several processes each, and figures that are measured: one file after the other, when nothing else runs.
        extends: true,
        test: { name: 'system', include: ['test/system/**/*.test.ts'], exclude: waiting, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
