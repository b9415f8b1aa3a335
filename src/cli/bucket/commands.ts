import { ACCOUNT_COMMANDS } from './account-commands.js'
import type { CommandRow } from './command.js'
import { SHARING_COMMANDS } from './sharing-commands.js'

/** Every command, in the order in which help shows them. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'put',
    usage: 'FILE [KEY]',
    summary: 'store files, or standard input',
    group: 'Objects',
    load: async () => (await import('./put.js')).put,
  },
  {
    name: 'put-dir',
    usage: 'FOLDER [PREFIX]',
    summary: 'store a folder',
    group: 'Objects',
    load: async () => (await import('./put-dir.js')).putDir,
  },
  {
    name: 'get',
    usage: 'KEY [FILE]',
    summary: 'fetch an object',
    group: 'Objects',
    load: async () => (await import('./get.js')).get,
  },
  {
    name: 'get-dir',
    usage: 'PREFIX [FOLDER]',
    summary: 'fetch all below a prefix',
    group: 'Objects',
    load: async () => (await import('./get-dir.js')).getDir,
  },
  {
    name: 'get-all',
    usage: '[FOLDER]',
    summary: 'fetch everything',
    group: 'Objects',
    load: async () => (await import('./get-dir.js')).getAll,
  },
  {
    name: 'sync-to',
    usage: 'PATH [KEY]',
    summary: 'send what the bucket has otherwise',
    group: 'Objects',
    load: async () => (await import('./sync-to.js')).syncTo,
  },
  {
    name: 'sync-from',
    usage: 'KEY PATH',
    summary: 'fetch what the local disk has otherwise',
    group: 'Objects',
    load: async () => (await import('./sync-from.js')).syncFrom,
  },
  {
    name: 'list',
    alias: 'ls',
    usage: '[PREFIX]',
    summary: 'list keys in order',
    group: 'Listing',
    load: async () => (await import('./list.js')).list,
  },
  {
    name: 'info',
    usage: 'KEY...',
    summary: 'say what is known of objects',
    group: 'Listing',
    load: async () => (await import('./info.js')).info,
  },
  {
    name: 'exists',
    usage: 'KEY',
    summary: 'tell by the exit code whether there is an object',
    group: 'Listing',
    load: async () => (await import('./exists.js')).exists,
  },
  ...SHARING_COMMANDS,
  ...ACCOUNT_COMMANDS,
  {
    name: 'search',
    usage: '[WORDS...]',
    summary: 'find objects by words and metadata',
    group: 'Listing',
    load: async () => (await import('./search.js')).search,
  },
  {
    name: 'completion',
    usage: 'SHELL',
    summary: 'complete commands and flags in bash, zsh or fish',
    group: 'Buckets',
    load: async () => (await import('./completion.js')).completion,
  },
]
