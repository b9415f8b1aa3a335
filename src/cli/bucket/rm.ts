import { keyBelow } from '../../bucket/put.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'
import { tellFailures } from './several.js'

/** `bucket rm`. */
export const rm: BucketCommand = {
  describe: command =>
    command
      .description(
        'Removes objects, all with one request. Exits with 3 for a key that is not there; the others are removed.',
      )
      .argument('<KEY...>', 'the keys')
      .option('--prefix <PREFIX>', 'put this and a slash before each key')
      .option('-f, --force', 'a key that is not there is no error, and is not asked for'),
  run: async context => {
    const { output, signal, words } = context
    const bucket = await context.openBucket()
    const keys = words.map(word => keyBelow(context.text('prefix'), word))
    const results = await bucket.remove(keys, { mustExist: !context.isOn('force'), signal })
    const failures = results.flatMap(({ key, error }) => (error === undefined ? [] : [{ name: key, error }]))
    if (output.isJson)
      output.printJson(
        results.map(({ key, error }) => ({
          key,
          removed: error === undefined,
          kind: error?.kind,
          message: error?.message,
        })),
      )
    else output.note(...results.filter(({ error }) => error === undefined).map(({ key }) => `${key} is removed`))
    return failures.length === 0 ? EXIT.done : tellFailures(output, failures)
  },
}
