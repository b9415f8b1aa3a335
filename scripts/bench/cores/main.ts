import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Leavings } from '../../acceptance/leavings.js'
import { clearAtExit, settingsOrUsage } from '../../program.js'
import { TLS_CERTIFICATE } from '../../servers/tls-certificate.js'
import { BUCKET, CREDENTIALS, Endpoint } from '../endpoint.js'
import { MOUNT_KINDS } from '../mounts/mount-kind.js'
import { RunningMount } from '../mounts/running-mount.js'
import { threadSeconds } from '../process-usage.js'
import { median } from '../sample.js'
import { timeShell } from '../timed-command.js'
import { CoreShares } from './core-shares.js'

/**
 * How reading grows with the cores that data threads have, on a machine with few of them: each data thread of the
 * driver gets a small share of a core for itself, and so does all the rest of the driver together. What serves the
 * bucket and what reads are not held back, and the shares are so small that they find the processor free.
 */

const USAGE = `node build/scripts/bench/cores/main.js [OPTIONS], as root

  --threads NUMBER,...  data threads (0,1,2,4)
  --share PERCENT       of a core, for each data thread and for the rest of the driver (10)
  --mount NAME          ours-https or ours (ours-https)
  --rounds NUMBER       of which the medians are shown (3)
  --help`

const READERS = 8
const OBJECT_BYTES = 64 * 1024 ** 2
const LIMIT_MS = 120_000
/** Until what is done behind the readers' backs is done. */
const SETTLE_MS = 500

const READ_ALL =
  'for f in "$1"/*; do dd if="$f" of=/dev/null bs=1M status=none & p="$p $!"; done; for p in $p; do wait $p || exit 1; done'

interface CoreSettings {
  readonly threads: readonly number[]
  readonly percent: number
  readonly mount: string
  readonly rounds: number
}

interface Measured {
  readonly bytesPerSecond: number
  readonly mainSeconds: number
  readonly dataSeconds: number
}

function readSettings(words: readonly string[]): CoreSettings | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      threads: { type: 'string', default: '0,1,2,4' },
      share: { type: 'string', default: '10' },
      mount: { type: 'string', default: 'ours-https' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const number = (flag: string, text: string, least: number) => {
    if (!/^\d{1,3}$/.test(text) || Number(text) < least)
      throw new Error(`${flag}: a number from ${least} on, not ${text}`)
    return Number(text)
  }
  if (values.mount !== 'ours' && values.mount !== 'ours-https') throw new Error(`--mount: ours or ours-https`)
  return {
    threads: values.threads.split(',').map(text => number('--threads', text, 0)),
    percent: number('--share', values.share, 1),
    mount: values.mount,
    rounds: number('--rounds', values.rounds, 1),
  }
}

/** One fresh mount: a first reading shows which threads carry data and has code compiled, the second one is measured. */
async function measure(endpoint: Endpoint, { mount: name, percent }: CoreSettings, threads: number): Promise<Measured> {
  const leavings = new Leavings()
  try {
    const mount = await mountWith(endpoint, name, threads, leavings)
    await timeShell(LIMIT_MS, READ_ALL, join(mount.mountPoint, 'first'))
    await sleep(SETTLE_MS)
    const { pid } = mount
    const busiest = [...threadSeconds(pid)].filter(([id]) => id !== pid).sort(([, a], [, b]) => b - a)
    const data = busiest.slice(0, threads).map(([id]) => id)
    const shares = new CoreShares(percent)
    leavings.add(() => shares.remove())
    leavings.add(() => mount.endNow())
    shares.add([...threadSeconds(pid).keys()].filter(id => !data.includes(id)))
    for (const id of data) shares.add([id])
    const before = threadSeconds(pid)
    const seconds = await timeShell(LIMIT_MS, READ_ALL, join(mount.mountPoint, 'second'))
    const after = threadSeconds(pid)
    await mount.unmount()
    const used = (id: number) => (after.get(id) ?? 0) - (before.get(id) ?? 0)
    return {
      bytesPerSecond: (READERS * OBJECT_BYTES) / seconds,
      mainSeconds: used(pid),
      dataSeconds: data.reduce((sum, id) => sum + used(id), 0),
    }
  } finally {
    leavings.clear()
  }
}

async function mountWith(endpoint: Endpoint, name: string, threads: number, leavings: Leavings): Promise<RunningMount> {
  const kind = MOUNT_KINDS.find(known => known.name === name)
  if (kind === undefined) throw new Error(`there is no mount ${name}`)
  const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-bench-'))
  leavings.add(() => rmSync(folder, { recursive: true, force: true }))
  const places = { certificate: join(folder, 'certificate.pem'), mountPoint: join(folder, 'mnt'), folder }
  writeFileSync(places.certificate, TLS_CERTIFICATE)
  mkdirSync(places.mountPoint)
  const withThreads = { ...kind, command: [...kind.command, '--data-threads', String(threads)] }
  const { url, secureUrl: secureEndpoint } = endpoint
  const values = { ...places, ...CREDENTIALS, bucket: BUCKET, endpoint: url, secureEndpoint }
  return RunningMount.start(withThreads, values, endNow => leavings.add(endNow))
}

const settings = settingsOrUsage(readSettings, USAGE)
const leavings = new Leavings()
clearAtExit(leavings)
const endpoint = await Endpoint.start(endNow => leavings.add(endNow))
await endpoint.setKnobs({})
for (const key of ['first/#', 'second/#']) await endpoint.fill({ key, count: READERS, sizeBytes: OBJECT_BYTES })
const measured = settings.threads.map(threads => ({ threads, runs: [] as Measured[] }))
for (let round = 0; round < settings.rounds; round++)
  for (const { threads, runs } of measured) runs.push(await measure(endpoint, settings, threads))
await endpoint.stop()

console.log(
  `${READERS} readers of ${READERS} objects of 64 MiB, cold; ${settings.percent} % of a core for each thread; ${settings.mount}\n`,
)
console.log('| data threads | MB/s | CPU-s of the main thread | of the data threads |\n| ---: | ---: | ---: | ---: |')
for (const { threads, runs } of measured) {
  const of = (read: (run: Measured) => number) => median(runs.map(read))
  const cells = [of(run => run.bytesPerSecond / 1e6).toFixed(0), of(run => run.mainSeconds).toFixed(2)]
  console.log(`| ${[threads, ...cells, of(run => run.dataSeconds).toFixed(2)].join(' | ')} |`)
}
process.exit(0)
