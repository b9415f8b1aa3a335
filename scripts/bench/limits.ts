import { spawnSync } from 'node:child_process'
import { BUCKET, type Endpoint } from './endpoint.js'
import type { LoadFigures } from './programs/load.js'
import { median } from './sample.js'
import type { Setting } from './settings.js'
import { runProgram, timeShell } from './timed-command.js'
import type { Scale } from './workload.js'

/** What the endpoint gives without any driver: no mount can be faster. */
export interface Limits {
  readonly setting: string
  /** Undefined where curl is not installed. */
  readonly curlBytesPerSecond: number | undefined
  /** Over many connections, by ranges. */
  readonly parallelBytesPerSecond: number
  /** Signed GETs of 16 KiB over 16 connections. */
  readonly smallGetsPerSecond: number
  /** The same of PUTs of 8 KiB. */
  readonly smallPutsPerSecond: number
}

const LIMIT_MS = 120_000
const CONNECTIONS = 24
const RANGE_BYTES = 4 * 1024 ** 2
const SMALL_BYTES = 16 * 1024
const TINY_BYTES = 8 * 1024
const SMALL_CONNECTIONS = 16

export async function measureLimits(
  endpoint: Endpoint,
  setting: Setting,
  scale: Scale,
  rounds: number,
): Promise<Limits> {
  await endpoint.setKnobs({})
  await endpoint.empty()
  await endpoint.fill({ key: 'large', sizeBytes: scale.largeBytes })
  await endpoint.fill({ key: 'small', sizeBytes: SMALL_BYTES })
  await endpoint.setKnobs(setting.knobs)
  const large = `${endpoint.url}/${BUCKET}/large`
  const hasCurl = spawnSync('curl', ['--version']).status === 0
  const curl = async () => scale.largeBytes / (await timeShell(LIMIT_MS, 'curl -sf -o /dev/null "$1"', large))
  const parallel = async () => {
    const requests = String(Math.ceil(scale.largeBytes / RANGE_BYTES))
    const figures = await load(large, String(CONNECTIONS), requests, String(RANGE_BYTES))
    return figures.bytes / figures.seconds
  }
  const small = async (...more: readonly string[]) => {
    const requests = setting.knobs.latencyMs === undefined ? scale.many * 20 : scale.many
    const url = `${endpoint.url}/${BUCKET}/small`
    const { seconds } = await load(url, String(SMALL_CONNECTIONS), String(requests), ...more)
    return requests / seconds
  }
  return {
    setting: setting.name,
    curlBytesPerSecond: hasCurl ? await medianRun(rounds, curl) : undefined,
    parallelBytesPerSecond: await medianRun(rounds, parallel),
    smallGetsPerSecond: await medianRun(rounds, () => small()),
    // A server that has just started is slow in what it has not done yet: no driver is to be measured with that.
    smallPutsPerSecond: await medianRun(rounds, () => small('', String(TINY_BYTES))),
  }
}

function load(...words: readonly string[]): Promise<LoadFigures> {
  return runProgram<LoadFigures>(LIMIT_MS, 'load', ...words)
}

async function medianRun(rounds: number, run: () => Promise<number>): Promise<number> {
  const numbers: number[] = []
  for (let round = 0; round < rounds; round++) numbers.push(await run())
  return median(numbers)
}
