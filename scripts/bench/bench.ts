import { spawnSync } from 'node:child_process'
import type { Leavings } from '../acceptance/leavings.js'
import { Endpoint } from './endpoint.js'
import { type Limits, measureLimits } from './limits.js'
import { currentLoad, thisMachine } from './machine.js'
import type { MountKind } from './mounts/mount-kind.js'
import type { BenchReport } from './report/bench-report.js'
import { NoMountError, Runner } from './runner.js'
import { formatValue, type Outcome, type Sample } from './sample.js'
import type { BenchSettings, Setting } from './settings.js'
import type { Workload } from './workload.js'

const LIMIT_MS = 120_000
const SLOW_LIMIT_MS = 300_000

/** Does all that was asked for; `tell` gets a line for each step. */
export async function bench(
  asked: BenchSettings,
  leavings: Leavings,
  tell: (line: string) => void,
): Promise<BenchReport> {
  const machine = thisMachine(Date.now())
  const endpoint = await Endpoint.start(endNow => leavings.add(endNow))
  const installed = asked.kinds.filter(isInstalled)
  for (const kind of asked.kinds) if (!installed.includes(kind)) tell(`${kind.name} is not installed`)
  const limits: Limits[] = []
  const outcomes: Outcome[] = []
  for (const setting of asked.settings) {
    limits.push(await measureLimits(endpoint, setting, asked.scale, asked.rounds))
    tell(`${setting.name}: ${JSON.stringify(limits.at(-1))}`)
    const series = new Series(asked, setting, new Runner(endpoint, leavings), tell)
    for (const workload of asked.workloads) outcomes.push(...(await series.of(workload, installed)))
  }
  await endpoint.stop()
  const settings = asked.settings.map(({ name, title }) => ({ name, title }))
  return { machine, rounds: asked.rounds, sizeName: asked.sizeName, settings, limits, outcomes }
}

function isInstalled(kind: MountKind): boolean {
  return spawnSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', kind.command[0] ?? '']).status === 0
}

/** The rounds of workloads in one setting, the mounts in turn, so that what else the machine does falls on all alike. */
class Series {
  readonly #asked: BenchSettings
  readonly #setting: Setting
  readonly #runner: Runner
  readonly #tell: (line: string) => void
  /** Those that can't be mounted are not tried again. */
  readonly #unmountable = new Set<string>()

  constructor(asked: BenchSettings, setting: Setting, runner: Runner, tell: (line: string) => void) {
    this.#asked = asked
    this.#setting = setting
    this.#runner = runner
    this.#tell = tell
  }

  async of(workload: Workload, kinds: readonly MountKind[]): Promise<readonly Outcome[]> {
    const { scale, rounds } = this.#asked
    const runs = kinds.map(kind => ({ kind, samples: [] as Sample[], problems: [] as string[] }))
    for (let round = 0; round < rounds; round++)
      for (const { kind, samples, problems } of runs) {
        // What failed once is not worth another of its time limits.
        if (this.#unmountable.has(kind.name) || samples.length < round) continue
        await this.#run(kind, workload, samples, problems)
      }
    return runs.map(({ kind, samples, problems }) => ({
      setting: this.#setting.name,
      workload: workload.name,
      title: workload.title(scale),
      mount: kind.name,
      measure: workload.measure(scale),
      samples,
      problems,
    }))
  }

  async #run(kind: MountKind, workload: Workload, samples: Sample[], problems: string[]): Promise<void> {
    const { scale } = this.#asked
    const limitMs = this.#asked.limitMs ?? (this.#setting.knobs.latencyMs === undefined ? LIMIT_MS : SLOW_LIMIT_MS)
    const what = `${this.#setting.name} ${kind.name} ${workload.name}`
    try {
      const { sample, problem } = await this.#runner.run({ kind, workload, setting: this.#setting, scale, limitMs })
      samples.push(sample)
      if (problem !== undefined) problems.push(problem)
      const value = formatValue(workload.measure(scale), sample.seconds)
      this.#tell(
        `${what}: ${value}, ${sample.requests} requests, ${sample.cpuSeconds.toFixed(2)} CPU-s, load ${currentLoad()}${problem === undefined ? '' : ` (${problem})`}`,
      )
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (error instanceof NoMountError) this.#unmountable.add(kind.name)
      problems.push(message)
      this.#tell(`${what}: ${message}`)
    }
  }
}
