import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Environment } from '../config/environment.js'
import { ConfigurationError } from '../config/fault.js'
import { formatSizeRoughly } from '../config/quantities.js'
import { type CommandLine, resolveStateRoot } from '../config/resolve.js'
import { MountError } from '../fuse/mount-error.js'
import { findRecord } from '../fuse/mount-record.js'
import { FILESYSTEM_TYPE, mountAround, readMountTable } from '../fuse/mount-table.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { complain, say } from './output.js'
import { DIRECT, Prefetcher } from './prefetcher.js'
import { ProgressLine } from './progress-line.js'

export interface PrefetchRequest {
  readonly line: CommandLine
  readonly paths: readonly string[]
  readonly quiet: boolean
}

/** `mount-bucket prefetch`. Rejects with ConfigurationError, and with MountError for a path on no mount of ours. */
export async function prefetch(request: PrefetchRequest, environment: Environment): Promise<ExitCode> {
  const stateRoot = await resolveStateRoot(request.line, environment)
  const paths: string[] = []
  for (const given of request.paths) {
    const path = await existing(resolve(environment.workingFolder, given))
    if (path === undefined) {
      complain(`${given} is not there`)
      return EXIT.notFound
    }
    await checkCached(path, given, stateRoot)
    paths.push(path)
  }
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort())
  const prefetcher = new Prefetcher(DIRECT, (path, error) => complain(`${path}: ${messageOf(error)}`), stopped.signal)
  const progress = request.quiet ? undefined : ProgressLine.onTerminal(() => prefetcher.progress, performance.now())
  try {
    await prefetcher.run(paths)
  } finally {
    progress?.end()
  }
  const { doneBytes, files, failed } = prefetcher.progress
  if (!request.quiet) say(`${formatSizeRoughly(doneBytes)} in ${files} files were read`)
  return failed > 0 || stopped.signal.aborted ? EXIT.failed : EXIT.done
}

/** Undefined where there is no such file. Other failures of the mount are the command's. */
async function existing(path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

async function checkCached(path: string, given: string, stateRoot: string | undefined): Promise<void> {
  const entry = mountAround(await readMountTable(), path)
  if (entry?.type !== FILESYSTEM_TYPE)
    throw new MountError('not-ours', `${given} is not on a mount of mount-bucket: nothing is to be brought there`)
  const found = stateRoot === undefined ? undefined : await findRecord(stateRoot, entry.mountPoint)
  if (found === undefined)
    throw new ConfigurationError([
      { place: '--state-dir', expected: `that which ${entry.mountPoint} was mounted with`, found: stateRoot ?? 'none' },
    ])
  if (found.record.cacheDir === undefined)
    throw new ConfigurationError([
      { place: given, expected: 'a path on a mount with a disk cache (--cache-dir)', found: entry.mountPoint },
    ])
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
