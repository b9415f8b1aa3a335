import { Argument } from 'commander'
import { completionHelp, completionScript, SHELLS } from '../completion/completion.js'
import { EXIT } from '../exit-codes.js'
import type { BucketCommand } from './command.js'

/** `bucket completion`. */
export const completion: BucketCommand = {
  describe: command =>
    command
      .description('Says what a shell reads to complete commands, flags and files.')
      .addArgument(new Argument('<SHELL>', 'bash, zsh or fish').choices(SHELLS))
      .addHelpText('after', completionHelp('bucket')),
  run: async context => {
    const [{ COMMANDS }, { bucketModel }] = await Promise.all([import('./commands.js'), import('./model.js')])
    const shell = SHELLS.find(each => each === context.words[0])
    if (shell === undefined) throw context.usage('completion', SHELLS.join(', '), String(context.words[0]))
    context.output.print(completionScript(shell, await bucketModel(COMMANDS)).trimEnd())
    return EXIT.done
  },
}
