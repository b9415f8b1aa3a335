import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** Where and when something was measured. */
export interface Machine {
  readonly date: string
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  /** Programs that ran at the beginning, on the average of a minute: other work falsifies figures. */
  readonly loadAverage: number
}

export function thisMachine(nowMs: number): Machine {
  return {
    date: new Date(nowMs).toISOString().slice(0, 10),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    loadAverage: loadavg()[0] ?? 0,
  }
}

export function describe(machine: Machine): string {
  const memory = `${Math.round(machine.memoryBytes / 1024 ** 3)} GiB`
  const { cores, processor, kernel, node, date, loadAverage } = machine
  return `${cores} cores (${processor}), ${memory}, Linux ${kernel}, Node ${node}, ${date}, load ${loadAverage.toFixed(1)}`
}

/** Programs that run now, on the average of a minute. */
export function currentLoad(): number {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])
}
