import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** They wait for servers a part of the time: one more than there are processors keeps these busy (two left 22 % of two idle, three 3 %). */
const maxWorkers = availableParallelism() + 1;

/** A worker keeps its modules from file to file: loading them again took longer than most files' tests. */
const isolate = false;

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
          maxWorkers,
          isolate,
        },
      },
      {
        test: {
          name: 'pg',
          include: ['{src,lab,test}/**/*.pg.test.ts'],
          globalSetup: ['test/support/global-servers.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers,
          isolate,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.test.ts'],
          testTimeout: 400_000,
          hookTimeout: 240_000,
          // After the others, two at a time: a load and its servers leave a third of two processors idle, and none may wait long.
          sequence: { groupOrder: 1 },
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'k8s',
          include: ['test/k8s/**/*.k8s.test.ts'],
          globalSetup: ['test/support/global-cluster.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
          fileParallelism: false,
        },
      },
    ],
  },
});
