import { defineConfig } from 'vitest/config';

/** unit: no server. pg: real servers, started once by test/support/global-servers.ts. e2e: whole migrations with load. k8s: against a cluster (npm run test:k8s). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{src,lab,bench,scripts,test/unit}/**/*.test.ts'],
          exclude: ['**/*.pg.test.ts'],
          // Some start the whole command line; a machine busy with other tests takes its time.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'pg',
          include: ['{src,lab,test}/**/*.pg.test.ts'],
          globalSetup: ['test/support/global-servers.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.test.ts'],
          testTimeout: 400_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'k8s',
          include: ['test/k8s/**/*.k8s.test.ts'],
          globalSetup: ['test/support/global-cluster.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
