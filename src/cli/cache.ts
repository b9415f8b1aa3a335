import { clear } from '../cache/disk/sweep.js'
import { type StoreUsage, usageOf } from '../cache/disk/usage.js'
import type { Environment } from '../config/environment.js'
import { formatSizeRoughly } from '../config/quantities.js'
import { type CommandLine, resolveCacheDir } from '../config/resolve.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { say } from './output.js'
import { tableLines } from './table-lines.js'

export interface CacheRequest {
  readonly line: CommandLine
  readonly action: 'usage' | 'clear'
  readonly json: boolean
}

/** `mount-bucket cache`. Rejects with ConfigurationError, and with what the disk says. */
export async function cache(request: CacheRequest, environment: Environment): Promise<ExitCode> {
  const place = await resolveCacheDir(request.line, environment)
  if (request.action === 'clear') {
    say(`${formatSizeRoughly(clear(place, Date.now()))} were removed from ${place}`)
    return EXIT.done
  }
  const usages = usageOf(place)
  if (request.json) say(usageJson(usages))
  else if (usages.length === 0) say(`nothing is cached in ${place}`)
  else say(...usageLines(usages))
  return EXIT.done
}

function usageLines(usages: readonly StoreUsage[]): readonly string[] {
  const total = usages.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
  const rows = usages.map(({ usedBytes, usedMs, url, endpoint }) => [
    formatSizeRoughly(usedBytes),
    new Date(usedMs).toISOString().slice(0, 16).replace('T', ' '),
    endpoint === undefined ? url : `${url} at ${endpoint}`,
  ])
  return tableLines([['SIZE', 'LAST USED (UTC)', 'BUCKET'], ...rows, [formatSizeRoughly(total), '', 'in all']])
}

function usageJson(usages: readonly StoreUsage[]): string {
  const entries = usages.map(({ url, endpoint, files, usedBytes, usedMs }) => ({
    url,
    endpoint,
    files,
    sizeBytes: usedBytes,
    lastUsedAt: new Date(usedMs).toISOString(),
  }))
  return JSON.stringify(entries, undefined, 2)
}
