import { formatSizeRoughly } from '../../config/quantities.js'
import { EXIT } from '../exit-codes.js'
import { tableLines } from '../table-lines.js'
import type { BucketCommand } from './command.js'

/** `bucket du`. */
export const du: BucketCommand = {
  describe: command =>
    command
      .description('Says how much there is below each folder, and in all. Every key is listed for that.')
      .argument('[PREFIX]', 'only keys that begin with this')
      .option('-s, --summary', 'the total alone'),
  run: async context => {
    const { output, signal } = context
    const [prefix = ''] = context.words
    const bucket = await context.openBucket()
    const folders = await bucket.usage({ prefix, signal })
    const objects = folders.reduce((sum, each) => sum + each.objects, 0)
    const sizeBytes = folders.reduce((sum, each) => sum + each.sizeBytes, 0)
    const shown = context.isOn('summary') ? [] : folders
    if (output.isJson) {
      const entries = shown.map(each => ({ folder: each.folder, objects: each.objects, size: each.sizeBytes }))
      output.printJson({ prefix, objects, size: sizeBytes, folders: entries })
    } else {
      const rows = shown.map(each => [formatSizeRoughly(each.sizeBytes), String(each.objects), each.folder || '(none)'])
      output.print(
        ...tableLines([
          ['SIZE', 'OBJECTS', 'FOLDER'],
          ...rows,
          [formatSizeRoughly(sizeBytes), String(objects), 'in all'],
        ]),
      )
    }
    return EXIT.done
  },
}
