import { join } from 'node:path'
import { clearAtExit, settingsOrUsage } from '../program.js'
import { Bucket } from './bucket.js'
import { startCeph } from './ceph.js'
import { Leavings } from './leavings.js'
import { readSettings, type Settings, USAGE } from './settings.js'
import { Site, type TransportName } from './site.js'
import type { Step } from './step.js'
import { STEPS } from './steps.js'

/** Compiled, this file is build/scripts/acceptance/main.js. */
const ROOT = join(import.meta.dirname, '../../..')

const KEYS = { accessKeyId: 'test', secretAccessKey: 'testsecret' }

/** A step that takes longer hangs. */
const STEP_LIMIT_MS = 30 * 60_000

const leavings = new Leavings()

async function acceptAll(settings: Settings): Promise<boolean> {
  if (!STEPS.some(({ title }) => title.includes(settings.only))) throw new Error(`no step tells of ${settings.only}`)
  let isAccepted = true
  for (const transport of settings.transports) isAccepted = (await accept(transport, settings)) && isAccepted
  return isAccepted
}

/** Runs all steps over one transport, each with a line of its own. */
async function accept(transport: TransportName, settings: Settings): Promise<boolean> {
  const { largeBytes, files, only } = settings
  const ceph = await startCeph(ROOT, largeBytes, stop => leavings.add(stop))
  const bucket = new Bucket(ceph.endpoint, 'acceptance', KEYS)
  await bucket.create()
  const site = new Site({ root: ROOT, transport, bucket, largeBytes, files, judgesTime: true })
  leavings.add(() => site.close())
  let isAccepted = true
  try {
    for (const step of STEPS.filter(({ title }) => title.includes(only)))
      isAccepted = (await report(step, site)) && isAccepted
  } finally {
    // A step that gave up may have left anything; what it is waiting for ends with the mounts.
    leavings.clear()
  }
  return isAccepted
}

async function report(step: Step, site: Site): Promise<boolean> {
  const name = `${site.settings.transport}: ${step.title}`
  try {
    console.log(`ok   ${name}: ${await withinLimit(step.run(site))}`)
    return true
  } catch (error) {
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : String(error)}`)
    for (const line of site.complaints()) console.log(`     the driver: ${line}`)
    return false
  }
}

async function withinLimit<T>(task: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${STEP_LIMIT_MS / 60_000} minutes`)), STEP_LIMIT_MS)
  })
  try {
    return await Promise.race([task, limit])
  } finally {
    clearTimeout(timer)
  }
}

function settingsForRoot(words: readonly string[]): Settings {
  if (process.getuid?.() !== 0) throw new Error('containers and private mount namespaces need root')
  return readSettings(words)
}

const settings = settingsOrUsage(settingsForRoot, USAGE)
clearAtExit(leavings)
process.exit((await acceptAll(settings)) ? 0 : 1)
