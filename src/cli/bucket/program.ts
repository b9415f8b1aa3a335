import { Command, Option as Flag } from 'commander'
import { BUCKET_OPTION_NAMES } from '../../config/bucket-options.js'
import { addFlags } from '../option-flags.js'
import { COMMAND_GROUPS, type CommandRow } from './command.js'

const DESCRIPTION = `Stores, fetches, lists and shares the objects of a bucket.

The bucket is that of --bucket, else of MOUNT_BUCKET_URL or the configuration file, else the store on the local disk that
mount-bucket has without a URL. A setting counts in this order: flag, environment (MOUNT_BUCKET_PART_SIZE for
--part-size), configuration file (part-size: 8M), default; all are those of mount-bucket.`

const EXAMPLES = `
Examples:
  bucket put face.jpg                                        store a file under its own name
  bucket -b s3://photos list --prefix 2024/                  what is there, in key order
  bucket -b s3://photos get 2024/face.jpg .                  fetch it, under its own name
  bucket --use work info report.pdf --json                   a profile of the configuration file, for programs
  bucket help put                                            more about a command

Exit codes: 0 done, 1 failed (or some of several failed), 2 usage or configuration, 3 not found, 4 denied,
5 store unreachable, 141 nobody reads the output any more (what was under way is given up, as with Ctrl-C).`

/** The flags that every command has. */
export interface CommonFlags {
  readonly bucket?: string
  readonly json?: true
  readonly quiet?: true
  readonly progress?: 'auto' | 'json' | 'never'
}

/** The commands with the flags of all, before anything is parsed. Says nothing and exits nowhere by itself. */
export function buildProgram(rows: readonly CommandRow[], output: (text: string) => void): Command {
  const program = new Command('bucket')
    .usage('[OPTIONS] COMMAND ...')
    .description(DESCRIPTION)
    .addHelpText('after', EXAMPLES)
    .configureHelp({
      optionTerm: flag => flag.flags.replace('[', '').replace(']', ''),
      subcommandTerm: command => termOf(rows, command),
      // Lines are as long as the terminal is wide, not as those here.
      commandDescription: command => command.description().replaceAll(/(?<!\n)\n(?!\n)/g, ' '),
    })
    .configureOutput({ writeOut: output, writeErr: () => {}, outputError: () => {} })
    .exitOverride()
    .allowExcessArguments()
    .helpCommand('help [COMMAND]', 'say this, or more about a command')
    .helpOption('-h, --help', 'say this, or more about a command')
    .addOption(new Flag('-V, --version', 'say the version').helpGroup('Output:'))
  program.addOption(
    new Flag(
      '-b, --bucket <URL>',
      'the bucket: s3://BUCKET[/PREFIX], file:///FOLDER or mem://NAME (default: see above)',
    ).helpGroup('Store:'),
  )
  for (const name of BUCKET_OPTION_NAMES) addFlags(program, name)
  program.addOption(new Flag('--json', 'say what there is to say as JSON').helpGroup('Output:'))
  program.addOption(new Flag('-q, --quiet', 'say nothing but results and what went wrong').helpGroup('Output:'))
  program.addOption(
    new Flag(
      '--progress <HOW>',
      'how far long transfers are: auto (a bar, where standard error is a terminal), json (lines there), never',
    )
      .choices(['auto', 'json', 'never'])
      .helpGroup('Output:'),
  )
  for (const group of COMMAND_GROUPS) for (const row of rows) if (row.group === group) addCommand(program, row)
  return program
}

function addCommand(program: Command, row: CommandRow): void {
  const command = program.command(row.name).summary(row.summary).usage(`${row.usage} [OPTIONS]`)
  command.helpGroup(`${row.group}:`)
  if (row.alias !== undefined) command.alias(row.alias)
}

function termOf(rows: readonly CommandRow[], command: Command): string {
  const row = rows.find(each => each.name === command.name())
  if (row === undefined) return `${command.name()} [COMMAND]`
  return `${row.name}${row.alias === undefined ? '' : `|${row.alias}`} ${row.usage}`
}
