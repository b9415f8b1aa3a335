import { it } from 'vitest'
import { runSequences } from './sequences.js'

const { MODEL_RUNS, MODEL_SEED, MODEL_PATH } = process.env
const runs = Number(MODEL_RUNS ?? 500)
/** Everybody's run walks the same sequences; `npm run test:model` walks others. */
const seed = Number(MODEL_SEED ?? 1)

it(`is a file system, and its bucket holds what was stored and nothing else: ${runs} sequences from seed ${seed}`, async () => {
  await runSequences({ runs, seed, path: MODEL_PATH })
}, 0)
