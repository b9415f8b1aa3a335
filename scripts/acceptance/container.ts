import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './program.js'

/** Where Debian's busybox-static has it: a program that needs nothing else. */
const BUSYBOX = '/bin/busybox'

const COMMANDS = ['cat', 'cp', 'cut', 'date', 'dd', 'grep', 'id', 'ls', 'mkdir', 'mv', 'rm', 'sh', 'sha256sum', 'stat']

/** A container of runc's with nothing but busybox, in which a folder of the host is /bucket. */
export class Container {
  readonly #folder: string
  readonly #id = `mount-bucket-${randomUUID()}`

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Makes the container's root file system in an empty folder. */
  static async make(folder: string): Promise<Container> {
    const bin = join(folder, 'rootfs/bin')
    for (const name of ['bin', 'bucket', 'dev', 'proc']) await mkdir(join(folder, 'rootfs', name), { recursive: true })
    await copyFile(BUSYBOX, join(bin, 'busybox'))
    for (const command of COMMANDS) await symlink('busybox', join(bin, command))
    return new Container(folder)
  }

  /** Runs a script as a user without any privilege and gives what it prints; rejects unless it exits with 0. */
  async run(bucket: string, uid: number, script: string): Promise<string> {
    await writeFile(join(this.#folder, 'config.json'), JSON.stringify(configuration(bucket, uid, script)))
    return run(['runc', '--root', this.#stateDir, 'run', '--bundle', this.#folder, this.#id])
  }

  /** Ends what may still run. */
  removeNow(): void {
    spawnSync('runc', ['--root', this.#stateDir, 'delete', '--force', this.#id])
  }

  get #stateDir(): string {
    return join(this.#folder, 'state')
  }
}

/** OCI runtime specification 1.0, config.json. */
function configuration(bucket: string, uid: number, script: string): object {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid, gid: uid },
      args: ['sh', '-eu', '-c', script],
      env: ['PATH=/bin'],
      cwd: '/bucket',
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'container',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/bucket', type: 'bind', source: bucket, options: ['rbind', 'rw'] },
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map(type => ({ type })) },
  }
}
