import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { openRunFolder } from './run-folder.js'
import { ServerKeeper } from './server-keeper.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where tests ask for what they need; servers.ts does. */
    readonly keeperUrl: string
  }
}

/**
 * Every project has its own copy of this module, but all live in one process and share what was started: nothing is
 * built or started before a test asks for it, and then only once.
 */
interface Shared {
  readonly keeper: ServerKeeper
  readonly url: Promise<string>
  readonly server: Server
  readonly removeFolder: () => void
  users: number
}

const SHARED = Symbol.for('mount-bucket.test.keeper')
const globals = globalThis as unknown as Record<symbol, Shared | undefined>

export async function setup(project: TestProject): Promise<void> {
  const shared = globals[SHARED] ?? open()
  globals[SHARED] = shared
  shared.users++
  project.provide('keeperUrl', await shared.url)
}

export async function teardown(): Promise<void> {
  const shared = globals[SHARED]
  if (shared === undefined || --shared.users > 0) return
  globals[SHARED] = undefined
  shared.server.close()
  shared.server.closeAllConnections()
  await shared.keeper.stopAll()
  shared.removeFolder()
}

function open(): Shared {
  const removeFolder = openRunFolder()
  const keeper = new ServerKeeper()
  const server = createServer((request, response) => {
    const name = (request.url ?? '').slice(1)
    keeper
      .need(name)
      .catch((error: unknown) => ({ failed: error instanceof Error ? error.message : String(error) }))
      .then(answer => response.end(JSON.stringify(answer)))
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  const url = new Promise<string>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
  return { keeper, url, server, removeFolder, users: 0 }
}
