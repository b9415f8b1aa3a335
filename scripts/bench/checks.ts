import { BUCKET, type Endpoint } from './endpoint.js'
import type { FileDigest } from './programs/digests.js'
import { runProgram } from './timed-command.js'
import type { Stage } from './workload.js'

const CHECK_LIMIT_MS = 300_000

/** Whether what is seen below `path` is what the endpoint has below `prefix`. */
export async function compareTree(stage: Stage, path: string, prefix: string): Promise<string | undefined> {
  const seen = await runProgram<readonly FileDigest[]>(CHECK_LIMIT_MS, 'digests', path)
  return compareStored(stage.endpoint, seen, prefix)
}

/** Whether the endpoint has these files, and no others, below `prefix`. */
export async function compareStored(
  endpoint: Endpoint,
  expected: readonly FileDigest[],
  prefix: string,
): Promise<string | undefined> {
  const stored = new Map(
    (await endpoint.digests(prefix))
      .filter(({ key }) => !key.endsWith('/'))
      .map(object => [object.key.slice(prefix.length), object] as const),
  )
  if (stored.size !== expected.length) return `${expected.length} files, but ${stored.size} objects`
  const wrong = expected.find(({ path, sizeBytes, crc32 }) => {
    const object = stored.get(path)
    return object?.sizeBytes !== sizeBytes || object.crc32 !== crc32
  })
  return wrong === undefined ? undefined : `${prefix}${wrong.path} differs from what is stored`
}

/** The digests of a local folder. */
export function localDigests(path: string): Promise<readonly FileDigest[]> {
  return runProgram(CHECK_LIMIT_MS, 'digests', path)
}

/** As a message, when the two differ. */
export function differs(what: string, seen: number, expected: number): string | undefined {
  return seen === expected ? undefined : `${what}: ${seen} instead of ${expected} in ${BUCKET}`
}
