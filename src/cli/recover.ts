import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { Log } from '../backend/log.js'
import { isStoreError } from '../backend/store-error.js'
import type { Environment } from '../config/environment.js'
import { ConfigurationError } from '../config/fault.js'
import { type CommandLine, resolveMount, resolveStateRoot } from '../config/resolve.js'
import { RecoveryError, retryKept, saveKept } from '../fs/recovery.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import {
  type FoundFile,
  findKept,
  findLeft,
  type LeftBehind,
  leftLine,
  listJson,
  listLines,
  objectOf,
} from './kept-list.js'
import { describeError } from './log-line.js'
import { complain, say } from './output.js'
import type { RecoverRequest } from './recover-request.js'

/** `mount-bucket recover`. Rejects with ConfigurationError, and with what keeps files from being read or written. */
export async function recover(request: RecoverRequest, environment: Environment): Promise<ExitCode> {
  const stateRoot = await resolveStateRoot(request.line, environment)
  const found = stateRoot === undefined ? [] : await findKept(stateRoot)
  switch (request.action) {
    case 'list':
      return list(found, stateRoot === undefined ? [] : await findLeft(stateRoot), request, environment)
    case 'discard':
      return discard(request.all ? found : pick(found, request.ids), request)
    case 'save':
    case 'retry': {
      const [kept] = pick(found, request.ids) ?? []
      if (kept === undefined) return EXIT.notFound
      return (request.action === 'save' ? save : retry)(kept, request, environment)
    }
  }
}

async function list(
  found: readonly FoundFile[],
  left: readonly LeftBehind[],
  { ids, json }: RecoverRequest,
  environment: Environment,
): Promise<ExitCode> {
  const [place] = ids
  const mountPoint = place === undefined ? undefined : await withoutLinks(resolve(environment.workingFolder, place))
  const isMeant = (each: FoundFile | LeftBehind) => mountPoint === undefined || each.mountPoint === mountPoint
  const shown = found.filter(isMeant)
  const leftBehind = left.filter(isMeant)
  if (json) say(listJson(shown))
  else if (shown.length === 0 && leftBehind.length > 0) say('nothing is kept yet')
  else if (shown.length === 0 && place !== undefined) say(`nothing is kept of what was mounted at ${place}`)
  else if (shown.length === 0) say('nothing is kept: all that was written is stored')
  else say(...listLines(shown))
  for (const each of leftBehind) complain(leftLine(each))
  return EXIT.done
}

/** The mount may be dead, and its folder not to be looked at. */
function withoutLinks(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}

/** The files with these ids. Undefined where one of them names none or several, which is said. */
function pick(found: readonly FoundFile[], ids: readonly string[]): readonly FoundFile[] | undefined {
  const picked = ids.map(id => {
    const matches = found.filter(({ file }) => file.id.startsWith(id))
    if (matches.length === 1) return matches[0]
    if (matches.length === 0) complain(`nothing is kept under ${id}: mount-bucket recover lists what is`)
    else complain(`${id} begins ${matches.length} ids: ${matches.map(({ file }) => file.id).join(', ')}`)
    return undefined
  })
  const files = picked.filter(file => file !== undefined)
  return files.length === ids.length ? files : undefined
}

async function discard(found: readonly FoundFile[] | undefined, { yes }: RecoverRequest): Promise<ExitCode> {
  if (found === undefined) return EXIT.notFound
  if (found.length === 0) {
    say('nothing is kept')
    return EXIT.done
  }
  if (!yes) {
    say(...listLines(found))
    if (!(await isAgreed(`Remove ${found.length === 1 ? 'this' : `these ${found.length}`} for good? [y/N] `)))
      return EXIT.failed
  }
  let exitCode: ExitCode = EXIT.done
  for (const { file, folder } of found) {
    const isRemoved = await folder.alone(file, async () => {
      await folder.remove(file.id)
      return true
    })
    if (isRemoved === true) say(`${objectOf(file)} is no longer kept`)
    else exitCode = busy(file.id)
  }
  return exitCode
}

async function isAgreed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new ConfigurationError([{ place: 'recover', expected: '--yes where nobody can be asked', found: 'none' }])
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim())
  } finally {
    terminal.close()
  }
}

async function save(kept: FoundFile, request: RecoverRequest, environment: Environment): Promise<ExitCode> {
  const { file, folder } = kept
  const { force, partial } = request
  const target = resolve(environment.workingFolder, request.file)
  const opened: { close(): Promise<void> }[] = []
  const store = async () => {
    const recovery = await openStore(kept, request, environment)
    opened.push(recovery)
    return recovery.services.store
  }
  try {
    const saved = await folder.alone(file, data => saveKept(file, data, target, { force, store }))
    if (saved === undefined) return busy(file.id)
    say(`${target} has ${file.record.sizeBytes} bytes of ${objectOf(file)}`)
    return reportMissing(file.record.ranges === undefined, saved.missingBytes, partial)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    complain(`${target} exists: --force replaces it`)
    return EXIT.failed
  } finally {
    for (const each of opened) await each.close()
  }
}

function reportMissing(isGuess: boolean, missingBytes: number, isContent: boolean): ExitCode {
  if (isGuess)
    complain('the driver ended while it was written: the end may be missing, and what was not written yet is zeros')
  if (missingBytes > 0) complain(`${missingBytes} bytes can not be had any more and are zeros`)
  return isContent || (!isGuess && missingBytes === 0) ? EXIT.done : EXIT.failed
}

async function retry(kept: FoundFile, request: RecoverRequest, environment: Environment): Promise<ExitCode> {
  const { file, folder } = kept
  const { force } = request
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort())
  const { services, close } = await openStore(kept, request, environment)
  try {
    const isStored = await folder.alone(file, async data => {
      await retryKept(file, data, services, { force, signal: stopped.signal })
      await folder.remove(file.id)
      return true
    })
    if (isStored !== true) return busy(file.id)
    say(`${objectOf(file)} is stored`)
    return EXIT.done
  } catch (error) {
    if (!(error instanceof RecoveryError || isStoreError(error) || stopped.signal.aborted)) throw error
    const why = stopped.signal.aborted ? 'it was stopped' : error instanceof Error ? error.message : String(error)
    complain(`${objectOf(file)} is not stored: ${why}`)
    return EXIT.notStored
  } finally {
    await close()
  }
}

function busy(id: string): ExitCode {
  complain(`${id} is being worked on by another program, or has just been removed`)
  return EXIT.failed
}

/** The store of a kept file, reached as the options say; its URL is the record's. */
async function openStore({ file, stateDir }: FoundFile, request: RecoverRequest, environment: Environment) {
  const configuration = await resolveMount(lineFor(file.record, request.line), environment)
  const { openForRecovery } = await import('../compose.js')
  return openForRecovery(configuration, stateDir, TO_STDERR)
}

/** What was mounted and written to is to be written to again, whatever the configuration file says of other mounts. */
function lineFor({ url, endpoint }: FoundFile['file']['record'], line: CommandLine): CommandLine {
  if (!/^(s3|file):/.test(url))
    throw new ConfigurationError([
      { place: 'recover', expected: 'a store that can be opened again', found: url || 'none' },
    ])
  const values = new Map(line.values)
  values.set('url', { text: url, place: 'what is kept' })
  values.set('mountPoint', { text: '/', place: 'what is kept' })
  values.set('readOnly', { text: 'false', place: 'what is kept' })
  if (url.startsWith('s3:') && endpoint !== undefined && !values.has('endpoint'))
    values.set('endpoint', { text: endpoint, place: 'what is kept' })
  return { ...line, values }
}

const TO_STDERR: Log = {
  error: (message, fields) => complain(withError(message, fields?.error)),
  warn: (message, fields) => complain(withError(message, fields?.error)),
  info: () => undefined,
  debug: () => undefined,
}

function withError(message: string, error: unknown): string {
  return error instanceof Error ? `${message}: ${describeError(error)}` : message
}
