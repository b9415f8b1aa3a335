/** What the commands exit with. doc/CONFIGURATION.md lists them; they are part of what a release must keep. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  unreachable: 5,
  mountPoint: 6,
  notStored: 7,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
