import { userInfo } from 'node:os'

export type Variables = Readonly<Record<string, string | undefined>>

/** What the process knows of its surroundings; the tests make their own. */
export interface Environment {
  readonly variables: Variables
  readonly workingFolder: string
  readonly uid: number
  readonly gid: number
  /** Undefined where the user has none. */
  readonly homeFolder: string | undefined
}

/** The surroundings of this process. The only place where `process.env` is read or written. */
export function processEnvironment(): Environment {
  // The SDK says at every client that Node 20 will not be supported for ever; `--version` has one line of ours instead.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  return {
    variables: process.env,
    workingFolder: process.cwd(),
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    homeFolder: homeFolder(process.env.HOME),
  }
}

/** HOME may be unset, as for mounts of fstab; then the user database tells. */
function homeFolder(variable: string | undefined): string | undefined {
  if (variable?.startsWith('/')) return variable
  try {
    return userInfo().homedir
  } catch {
    // A uid that the user database does not know has no home.
    return undefined
  }
}
