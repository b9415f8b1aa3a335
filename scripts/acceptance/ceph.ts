import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './program.js'

/** Beside the large file itself, what is on its way out of the store. */
const SPARE_BYTES = 6 * 2 ** 30

export interface Ceph {
  readonly endpoint: string
  /** Ends it and removes what it left; may be called more than once. */
  readonly stopNow: () => void
}

/** A Ceph of our own, with room for one large file. `onStart` gets how to stop it, before it is up. */
export async function startCeph(root: string, largeBytes: number, onStart: (stop: () => void) => void): Promise<Ceph> {
  const script = join(root, 'scripts/servers/ceph.sh')
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-ceph-'))
  const stopNow = () => {
    spawnSync(script, ['stop', folder])
    rmSync(folder, { recursive: true, force: true })
  }
  onStart(stopNow)
  const [port, monitorPort] = await Promise.all([freePort(), freePort()])
  const env = {
    PORT: String(port),
    MON_PORT: String(monitorPort),
    STORE_BYTES: String(2 * largeBytes + SPARE_BYTES),
  }
  return { endpoint: await run([script, 'start', folder], { env }), stopNow }
}

/** One that the system hands out, and hands to nobody else for a while. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
