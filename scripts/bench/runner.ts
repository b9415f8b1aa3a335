import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Leavings } from '../acceptance/leavings.js'
import { TLS_CERTIFICATE } from '../servers/tls-certificate.js'
import { BUCKET, CREDENTIALS, type Endpoint } from './endpoint.js'
import type { MountKind } from './mounts/mount-kind.js'
import { RunningMount } from './mounts/running-mount.js'
import { requestsOf, type Sample } from './sample.js'
import type { Setting } from './settings.js'
import type { Scale, Stage, Workload } from './workload.js'

/** The mount could not be made: there is nothing to be measured on it. */
export class NoMountError extends Error {
  override readonly name = 'NoMountError'
}

/** One run and what was wrong with it. */
export interface Run {
  readonly sample: Sample
  readonly problem: string | undefined
}

export interface RunRequest {
  readonly kind: MountKind
  readonly workload: Workload
  readonly setting: Setting
  readonly scale: Scale
  readonly limitMs: number
}

const QUIET_MS = 100
const SETTLE_MS = 5000

/** Does workloads over mounts that are made for one run each. */
export class Runner {
  readonly #endpoint: Endpoint
  readonly #leavings: Leavings
  /** What drivers have learned, a folder for each. */
  readonly #learnedFolder: string

  constructor(endpoint: Endpoint, leavings: Leavings) {
    this.#endpoint = endpoint
    this.#leavings = leavings
    this.#learnedFolder = this.#temporaryFolder()
  }

  /** Rejects when the workload fails or takes too long; the mount is gone in any case. */
  async run(request: RunRequest): Promise<Run> {
    const folder = this.#temporaryFolder()
    const { kind, workload, setting, scale, limitMs } = request
    const endpoint = this.#endpoint
    const stage: Stage = { mountPoint: join(folder, 'mnt'), folder, endpoint, scale, limitMs }
    try {
      await endpoint.setKnobs({})
      await endpoint.empty()
      await workload.prepare(stage)
      await endpoint.setKnobs(setting.knobs)
      const mount = await this.#mount(kind, stage)
      try {
        const run = await this.#measure(request, mount, stage)
        this.#handOn(kind, join(folder, 'driver'), this.#learnedFolder)
        return run
      } finally {
        mount.endNow()
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  async #mount(kind: MountKind, stage: Stage): Promise<RunningMount> {
    const { mountPoint, endpoint } = stage
    const folder = join(stage.folder, 'driver')
    mkdirSync(folder)
    this.#handOn(kind, this.#learnedFolder, folder)
    const certificate = join(folder, 'certificate.pem')
    writeFileSync(certificate, TLS_CERTIFICATE)
    const { url, secureUrl: secureEndpoint } = endpoint
    const places = { ...CREDENTIALS, bucket: BUCKET, endpoint: url, secureEndpoint, certificate, mountPoint, folder }
    try {
      return await RunningMount.start(kind, places, endNow => this.#leavings.add(endNow))
    } catch (error) {
      throw new NoMountError(error instanceof Error ? error.message : String(error), { cause: error })
    }
  }

  /** In the folder of what was learned, each kind has one of its name. */
  #handOn({ name, learns }: MountKind, from: string, to: string): void {
    if (learns === undefined) return
    const place = (folder: string) => join(folder, folder === this.#learnedFolder ? name : learns)
    if (existsSync(place(from))) cpSync(place(from), place(to), { recursive: true })
  }

  #temporaryFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'mount-bucket-bench-'))
    this.#leavings.add(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  async #measure({ workload }: RunRequest, mount: RunningMount, stage: Stage): Promise<Run> {
    dropCaches()
    if (workload.warm !== undefined) {
      await workload.warm(stage)
      await this.#settled()
    }
    await this.#endpoint.resetCounters()
    const before = mount.usage()
    const seconds = await workload.run(stage)
    // What was written has to be stored now, not when the driver comes round to it.
    const early = workload.writes ? await workload.check(stage) : undefined
    await this.#settled()
    const after = mount.usage()
    const counts = await this.#endpoint.counters()
    await this.#endpoint.setKnobs({})
    const read = workload.writes ? undefined : await workload.check(stage)
    await mount.unmount()
    const late = early === undefined ? undefined : await workload.check(stage)
    const sample: Sample = {
      seconds,
      ...requestsOf(counts),
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      mainThreadSeconds: after.mainThreadSeconds - before.mainThreadSeconds,
      peakBytes: after.peakBytes,
      idleBytes: before.residentBytes,
    }
    return { sample, problem: read ?? late ?? (early && `stored only later (${early})`) }
  }

  /** No request is under way any more, and none follows at once: read-ahead counts, too. */
  async #settled(): Promise<void> {
    const deadlineMs = performance.now() + SETTLE_MS
    let known = -1
    while (performance.now() < deadlineMs) {
      const { active, requests } = await this.#endpoint.counters()
      const total = Object.values(requests).reduce((sum, count) => sum + count, 0)
      if (active === 0 && total === known) return
      known = active === 0 ? total : -1
      await sleep(QUIET_MS)
    }
  }
}

/** What the kernel remembers of files; only root can make it forget, others measure what they can. */
function dropCaches(): void {
  spawnSync('sync')
  if (process.getuid?.() === 0) writeFileSync('/proc/sys/vm/drop_caches', '3\n')
}
