import { ACCOUNT_COMMANDS } from './account-commands.js'
import type { CommandRow } from './command.js'
import { SHARING_COMMANDS } from './sharing-commands.js'

/** Every command, in the order in which help shows them. */
export const COMMANDS: readonly CommandRow[] = [
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
]
