import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')

/** A server's endpoint, or why there is none on this machine. */
export type Answer = { readonly endpoint: string } | { readonly missing: string }

interface Stoppable {
  stop(): Promise<void>
  /** For a process that is ending and can't wait. */
  stopNow(): void
}

/** The programs without which a server can't be started; the scripts check for the rest. */
const SCRIPTS: Readonly<Record<string, { readonly file: string; readonly programs: readonly string[] }>> = {
  ceph: { file: 'ceph.sh', programs: ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph'] },
  swift: { file: 'swift.sh', programs: ['swift-proxy-server', 'swift-object-server', 'memcached'] },
}

/** Builds and starts what tests ask for, each once, and stops all of it in the end. */
export class ServerKeeper {
  readonly #needed = new Map<string, Promise<Answer>>()
  readonly #running: Stoppable[] = []

  constructor() {
    process.once('exit', () => {
      for (const server of this.#running) server.stopNow()
    })
  }

  need(name: string): Promise<Answer> {
    const known = this.#needed.get(name)
    if (known !== undefined) return known
    const answer = this.#start(name)
    this.#needed.set(name, answer)
    return answer
  }

  async stopAll(): Promise<void> {
    await Promise.allSettled(this.#needed.values())
    await Promise.all(this.#running.splice(0).map(server => server.stop()))
  }

  async #start(name: string): Promise<Answer> {
    if (name === 'build') return this.#build()
    if (name === 's3') return this.#startOwnS3()
    const script = SCRIPTS[name]
    if (script === undefined) throw new Error(`no such server: ${name}`)
    const missing = script.programs.filter(program => spawnSync('which', [program]).status !== 0)
    if (missing.length > 0) return { missing: `not installed: ${missing.join(', ')}` }
    return this.#startByScript(join(ROOT, 'scripts/servers', script.file))
  }

  async #build(): Promise<Answer> {
    await run(join(ROOT, 'node_modules/.bin/tsc'), ['-b'], { cwd: ROOT }).catch(
      (error: Error & { stdout?: string }) => {
        throw new Error(`tsc -b failed:\n${error.stdout ?? error.message}`)
      },
    )
    return { endpoint: ROOT }
  }

  async #startOwnS3(): Promise<Answer> {
    await this.need('build')
    const program = join(ROOT, 'build/scripts/servers/s3/main.js')
    const args = ['--port', '0', '--read-only-key', 'testro:testrosecret', '--with-parent']
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#running.push({ stop: () => endOf(child), stopNow: () => child.kill() })
    return { endpoint: await firstLine(child) }
  }

  async #startByScript(script: string): Promise<Answer> {
    const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-server-'))
    const stopNow = () => {
      spawnSync(script, ['stop', folder])
      rmSync(folder, { recursive: true, force: true })
    }
    const stop = async () => {
      await run(script, ['stop', folder])
      rmSync(folder, { recursive: true, force: true })
    }
    this.#running.push({ stop, stopNow })
    const port = await freePorts(5)
    const { stdout } = await run(script, ['start', folder], {
      env: { ...process.env, PORT: String(port), MON_PORT: String(port + 1) },
    })
    return { endpoint: stdout.trim() }
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`the server ended with ${code} before it was ready`)))
    if (child.stdout !== null) createInterface(child.stdout).once('line', resolve)
  })
}

function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise(resolve => {
    child.once('exit', () => resolve())
    child.kill()
  })
}

/** The first of `count` neighbouring ports that are all free, below those that the system hands out by itself. */
async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const first = 20_000 + Math.floor(Math.random() * 11_000)
    const ports = Array.from({ length: count }, (_, index) => first + index)
    const free = await Promise.all(ports.map(isFree))
    if (free.every(Boolean)) return first
  }
  throw new Error('no free ports')
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
