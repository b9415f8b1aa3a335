import type { S3Server } from '../../scripts/servers/s3/s3-server.js'

/** What was asked of the server while `task` ran, by operation. */
export async function requestsDuring(
  server: S3Server,
  task: () => Promise<unknown>,
): Promise<Readonly<Record<string, number>>> {
  const before = server.counters().requests
  await task()
  const changes = Object.entries(server.counters().requests).map(
    ([name, count]) => [name, count - (before[name] ?? 0)] as const,
  )
  return Object.fromEntries(changes.filter(([, count]) => count > 0))
}
