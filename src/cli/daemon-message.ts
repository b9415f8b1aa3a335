import type { MountConfiguration } from '../config/configuration.js'
import type { Failure } from './failure.js'

/** What the process in the background tells the one that started it, once. */
export type DaemonMessage =
  | ({ readonly type: 'ready' } & { readonly lines: readonly string[] })
  | ({ readonly type: 'failed' } & Failure)

/** What is said when a mount can be used. */
export function readyLines(configuration: MountConfiguration): readonly string[] {
  const { url, mountPoint, isEmbedded, log } = configuration
  const lines = [`${url} is mounted at ${mountPoint}`]
  if (isEmbedded) lines.push('(no store was named, so this is one of your own on the local disk)')
  lines.push(`to end it: mount-bucket unmount ${mountPoint}`)
  if (log.file !== undefined) lines.push(`its log: ${log.file}`)
  return lines
}
