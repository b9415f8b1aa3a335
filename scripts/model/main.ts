import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { settingsOrUsage } from '../program.js'

const USAGE = `npm run test:model -- [--runs NUMBER] [--seed NUMBER] [--path PATH]

  --runs NUMBER  sequences of commands (20000)
  --seed NUMBER  random unless given; printed
  --path PATH    as a failure says it, with its seed: walks that sequence again`

/** Compiled, this file is build/scripts/model/main.js. */
const ROOT = join(import.meta.dirname, '../../..')

/** Throws where the words are no flags of this program. */
function environmentFrom(words: readonly string[]): Readonly<Record<string, string>> {
  const { values } = parseArgs({
    args: [...words],
    options: { runs: { type: 'string', default: '20000' }, seed: { type: 'string' }, path: { type: 'string' } },
  })
  const seed = values.seed ?? String(Math.floor(Math.random() * 0x7fffffff))
  for (const number of [values.runs, seed]) if (!/^\d{1,10}$/.test(number)) throw new Error(`${number} is no number`)
  console.log(`${values.runs} sequences from seed ${seed}`)
  return { MODEL_RUNS: values.runs, MODEL_SEED: seed, ...(values.path !== undefined && { MODEL_PATH: values.path }) }
}

async function walk(environment: Readonly<Record<string, string>>): Promise<number> {
  const words = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'unit', 'test/model']
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...environment } })
  await once(child, 'close')
  return child.exitCode ?? 1
}

process.exitCode = await walk(settingsOrUsage(environmentFrom, USAGE))
