import { expect, it } from 'vitest'
import { runSequences } from './sequences.js'

/** Set by scripts/model. */
const { MODEL_RUNS, MODEL_SEED, MODEL_PATH } = process.env
const runs = Number(MODEL_RUNS ?? 500)
/** Everybody's run walks the same sequences; `npm run test:model` walks others. */
const seed = Number(MODEL_SEED ?? 1)

it(`is a file system, and its bucket holds what was stored: ${runs} sequences from seed ${seed}`, async () => {
  const commands = await runSequences({ runs, seed, path: MODEL_PATH })
  expect(commands).toBeGreaterThan(0)
  if (MODEL_RUNS !== undefined) process.stdout.write(`${commands} commands\n`)
}, 0)
