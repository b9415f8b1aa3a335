import { Argument, Command, Option as Flag } from 'commander'
import { OPTION_GROUPS } from '../config/option.js'
import { OPTION_NAMES, OPTIONS } from '../config/option-table.js'
import { modelOf, type ProgramModel } from './command-model.js'
import { completionHelp, SHELLS } from './completion/completion.js'
import { addFlags, plain } from './option-flags.js'

const DESCRIPTION = `Shows a bucket of an object store as a folder, for every program to read and write.

Without URL and configuration, a store of its own on the local disk is mounted. A setting counts in this order:
flag, environment (MOUNT_BUCKET_PART_SIZE for --part-size), configuration file (part-size: 8M), default.`

const EXAMPLES = `
Examples:
  mount-bucket ~/bucket                                    a bucket on the local disk
  mount-bucket s3://photos /mnt/photos                     a bucket at Amazon, with the usual credentials
  mount-bucket s3://photos/2024 /mnt --read-only           a part of it, for reading
  mount-bucket s3://photos /mnt --endpoint http://nas:9000 a bucket of MinIO, Ceph, ...
  mount-bucket file:///srv/photos /mnt                     a folder as a bucket
  mount-bucket unmount /mnt                                store what is dirty, end the mount
  mount-bucket recover                                     list what could not be stored
  mount-bucket s3://photos /mnt --cache-dir /var/cache/b   keep on the local disk what was read
  mount-bucket prefetch /mnt/2024                          bring files there before they are needed
  s3://photos /mnt fuse.mount-bucket _netdev,allow_other,region=eu-central-1 0 0      as a line of /etc/fstab

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not found, 4 denied, 5 store unreachable,
6 mount point unfit, 7 data not stored (kept for recover).`

const UNMOUNT_DESCRIPTION = `Ends a mount and waits until all that was written is stored.

--state-dir, --config and --use are those that the mount was made with.`

const RECOVER_DESCRIPTION = 'Lists what could not be stored and is kept on the local disk, and takes care of it.'

const RECOVER_TEXT = `
What to do:
  list [MOUNTPOINT]   what is kept (of the mount at MOUNTPOINT); the default
  save ID FILE        write it to a file, as the program saw it that wrote it; it stays kept
  retry ID            store it where it belongs, unless others have changed that since; then it is kept no longer
  discard ID...       remove it

An ID may be shortened to what no other begins with. The store is reached as for mounting: its URL is known, keys and
other settings come from flags (--profile, --endpoint, ...), the environment and the configuration file. --state-dir
is that which the mount was made with.

Examples:
  mount-bucket recover
  mount-bucket recover save 3f2a /tmp/result.csv
  mount-bucket recover retry 3f2a
  mount-bucket recover discard --all --yes

Exit codes: 0 done, 1 failed or saved in part, 2 usage or configuration, 3 no such ID, 7 still not stored, and still kept.`

const CACHE_DESCRIPTION = 'Says what a disk cache holds, or empties it. Mounts may use it meanwhile.'

const CACHE_TEXT = `
What to do:
  usage   how much of each bucket is there; the default
  clear   remove it all

--cache-dir is that which mounts were made with; the environment and the configuration file may say it, too.

Exit codes: 0 done, 1 failed, 2 usage or configuration.`

const PREFETCH_DESCRIPTION = `Reads files and folders of a mount, so that its disk cache holds them.

The mount must have a disk cache (--cache-dir). --state-dir is that which the mount was made with.`

const PREFETCH_TEXT = `
Exit codes: 0 done, 1 not all could be read, 2 usage or configuration (no disk cache), 3 no such path, 6 not on a mount of ours.`

/** How commands stand in the list of them. */
const TERMS: Readonly<Record<string, string>> = {
  unmount: 'unmount MOUNTPOINT',
  recover: 'recover [...]',
  cache: 'cache [usage | clear]',
  prefetch: 'prefetch PATH...',
  completion: 'completion SHELL',
  help: 'help [COMMAND]',
}

/** The commands with their flags, before anything is parsed. Says nothing and exits nowhere by itself. */
export function buildProgram(output: (text: string) => void): Command {
  const silent = { writeOut: output, writeErr: () => {}, outputError: () => {} }
  const program = new Command('mount-bucket')
    .usage('[OPTIONS] [URL] MOUNTPOINT')
    .description(DESCRIPTION)
    .addHelpText('after', EXAMPLES)
    .configureHelp({
      optionTerm: flag => flag.flags.replace('[', '').replace(']', ''),
      subcommandTerm: command => TERMS[command.name()] ?? command.name(),
    })
    .configureOutput(silent)
    .exitOverride()
    .helpCommand('help [COMMAND]', 'say this, or more about a command')
    .allowUnknownOption()
    .allowExcessArguments()
    .addArgument(new Argument('[URL]', plain(OPTIONS.url.help)))
    .addArgument(new Argument('[MOUNTPOINT]', plain(OPTIONS.mountPoint.help)))
  for (const group of OPTION_GROUPS) {
    for (const name of OPTION_NAMES) if (OPTIONS[name].group === group) addFlags(program, name)
    if (group === 'Mount') program.addOption(mountOptionsFlag())
  }
  program.addOption(new Flag('-V, --version', 'say the version').helpGroup('Other:'))
  program.addHelpOption(new Flag('-h, --help', 'say this').helpGroup('Other:'))
  addUnmount(program)
  addRecover(program)
  addCache(program)
  addPrefetch(program)
  addCompletion(program)
  return program
}

/** The whole command line in plain data. */
export function mountModel(): ProgramModel {
  return modelOf(buildProgram(() => {}))
}

function addUnmount(program: Command): void {
  program
    .command('unmount')
    .summary('end a mount')
    .usage('[OPTIONS] MOUNTPOINT')
    .description(UNMOUNT_DESCRIPTION)
    .argument('[MOUNTPOINT]', 'where it is mounted')
    .option('-l, --lazy', 'take the mount out of sight although programs still use it')
    .allowUnknownOption()
    .allowExcessArguments()
}

function addRecover(program: Command): void {
  program
    .command('recover')
    .summary('list, save, store or drop what could not be stored')
    .usage('[list | save ID FILE | retry ID | discard ID...] [OPTIONS]')
    .description(RECOVER_DESCRIPTION)
    .addHelpText('after', RECOVER_TEXT)
    .argument('[WORDS...]', 'what to do, and with which of the files that are kept')
    .option('--json', 'list as JSON')
    .option('--force', 'save: replace FILE; retry: replace whatever the bucket has by now')
    .option('--partial', 'save: be content with the parts that can be had, the rest being zeros')
    .option('--all', 'discard: everything that list shows')
    .option('--yes', 'discard: do not ask')
    .allowUnknownOption()
    .allowExcessArguments()
}

function addCache(program: Command): void {
  program
    .command('cache')
    .summary('say what a disk cache holds, or empty it')
    .usage('[usage | clear] [OPTIONS]')
    .description(CACHE_DESCRIPTION)
    .addHelpText('after', CACHE_TEXT)
    .argument('[WORDS...]', 'what to do')
    .option('--json', 'usage as JSON')
    .allowUnknownOption()
    .allowExcessArguments()
}

function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('complete commands and flags in bash, zsh or fish')
    .usage('bash | zsh | fish')
    .description('Says what a shell reads to complete commands, flags and files.')
    .addHelpText('after', completionHelp('mount-bucket'))
    .addArgument(new Argument('<SHELL>', 'the shell').choices(SHELLS))
}

function addPrefetch(program: Command): void {
  program
    .command('prefetch')
    .summary('bring files into the disk cache')
    .usage('[OPTIONS] PATH...')
    .description(PREFETCH_DESCRIPTION)
    .addHelpText('after', PREFETCH_TEXT)
    .argument('[PATHS...]', 'files, and folders with all below them, on a mount')
    .option('-q, --quiet', 'say nothing but what went wrong')
    .allowUnknownOption()
    .allowExcessArguments()
}

function mountOptionsFlag(): Flag {
  const help =
    'options as mount(8) has them: ro, allow_other, uid=1000, noatime, ..., and every option here by its name (part_size=16M); may be repeated'
  const collect = (list: string, before: readonly string[] | undefined) => [...(before ?? []), list]
  return new Flag('-o [LIST]', help).argParser(collect).helpGroup('Mount:')
}
