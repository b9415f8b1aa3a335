import { defineConfig } from 'vitest/config'

/**
 * `unit` imports src/; `stores`, `bucket` and `mount` start real servers and spawn what was built into dist/ and build/.
 * All are one group, in the order of their names: no core is idle until the last of the many short files of `unit`. So what
 * takes long shares the machine with others, and has time for it.
 */
export default defineConfig({
  test: {
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    globalSetup: ['test/support/global-setup.ts'],
    maxWorkers: '100%',
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/{unit,house,model}/**/*.test.ts'], testTimeout: 30_000 } },
      {
        extends: true,
        test: { name: 'stores', include: ['test/stores/**/*.test.ts'], testTimeout: 30_000, hookTimeout: 60_000 },
      },
      {
        extends: true,
        test: { name: 'bucket', include: ['test/bucket/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: 'mount',
          include: ['test/mount/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
