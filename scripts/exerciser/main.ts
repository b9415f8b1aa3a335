import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BucketMount } from '../acceptance/bucket-mount.js'
import { Leavings } from '../acceptance/leavings.js'
import { clearAtExit, settingsOrUsage } from '../program.js'
import { type ExerciserSettings, readSettings, USAGE } from './settings.js'

/** Compiled, this file is build/scripts/exerciser/main.js. */
const ROOT = join(import.meta.dirname, '../../..')

const leavings = new Leavings()

/** Mounts, walks, unmounts; resolves with whether nothing differed and all was stored. */
async function exercise(settings: ExerciserSettings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-exerciser-'))
  leavings.add(() => rmSync(folder, { recursive: true, force: true }))
  const mountPoint = join(folder, 'mnt')
  const logFile = join(folder, 'log')
  mkdirSync(mountPoint)
  const places = ['--state-dir', join(folder, 'state'), '--transport', settings.transport]
  const mount = await BucketMount.start(
    {
      program: join(ROOT, 'dist/cli/mount-bucket.js'),
      words: [settings.url, mountPoint, ...places, ...settings.mountFlags],
      mountPoint,
      logFile,
      env: { XDG_CACHE_HOME: join(folder, 'cache') },
    },
    endNow => leavings.add(endNow),
  )
  const isEqual = await walk(mountPoint, settings.words)
  const code = await mount.unmount()
  if (!isEqual || code !== 0) console.error(`the driver ended with ${code}; the end of its log:\n${tail(mount.log())}`)
  return isEqual && code === 0
}

async function walk(folder: string, words: readonly string[]): Promise<boolean> {
  const program = join(ROOT, 'test/exerciser/main.py')
  const child = spawn('/usr/bin/python3', [program, folder, ...words], { stdio: ['ignore', 'inherit', 'inherit'] })
  leavings.add(() => child.kill('SIGKILL'))
  await once(child, 'close')
  return child.exitCode === 0
}

function tail(log: string): string {
  return log.split('\n').slice(-20).join('\n')
}

const settings = settingsOrUsage(readSettings, USAGE)
clearAtExit(leavings)
process.exit((await exercise(settings)) ? 0 : 1)
