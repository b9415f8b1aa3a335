import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket validate-credentials`. */
export const validateCredentials: BucketCommand = {
  describe: command =>
    command.description(
      'Exits with 0 where the store knows the credentials, whatever they permit, and with 4 where they are missing, wrong or expired.',
    ),
  run: async context => {
    await (await context.openBuckets()).validateCredentials({ signal: context.signal })
    if (context.output.isJson) context.output.printJson({ valid: true })
    return EXIT.done
  },
}
