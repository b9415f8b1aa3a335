import type { Limits } from '../limits.js'
import { describe } from '../machine.js'
import { formatNumber, formatValue, medianOf, type Outcome } from '../sample.js'
import type { BenchReport } from './bench-report.js'

/** The report as text: what each mount made of each workload, and what it cost. */
export function markdownOf(report: BenchReport): string {
  const chapters = report.settings.flatMap(({ name, title }) => {
    const outcomes = report.outcomes.filter(({ setting }) => setting === name)
    const limits = report.limits.find(({ setting }) => setting === name)
    return [`## ${name}: ${title}`, ...(limits ? [limitsLine(limits)] : []), valueTable(outcomes), costTable(outcomes)]
  })
  const head = [
    `# Bench`,
    `Medians of ${report.rounds} rounds, size ${report.sizeName}, on ${describe(report.machine)}.`,
  ]
  return `${[...head, ...chapters, ...problemList(report.outcomes)].join('\n\n')}\n`
}

function limitsLine(limits: Limits): string {
  const { curlBytesPerSecond: curl, parallelBytesPerSecond, smallGetsPerSecond, smallPutsPerSecond } = limits
  const parts = [
    ...(curl === undefined ? [] : [`curl ${formatNumber(curl / 1e6)} MB/s`]),
    `many connections ${formatNumber(parallelBytesPerSecond / 1e6)} MB/s`,
    `${formatNumber(smallGetsPerSecond)} GETs of 16 KiB and ${formatNumber(smallPutsPerSecond)} PUTs of 8 KiB a second`,
  ]
  return `Without any driver the endpoint gives: ${parts.join(', ')}.`
}

/** Workloads down, mounts across. */
function valueTable(outcomes: readonly Outcome[]): string {
  const mounts = unique(outcomes.map(({ mount }) => mount))
  const rows = unique(outcomes.map(({ workload }) => workload)).map(workload => {
    const row = outcomes.filter(outcome => outcome.workload === workload)
    return [row[0]?.title ?? '', ...mounts.map(mount => valueCell(row.find(outcome => outcome.mount === mount)))]
  })
  return table(['workload', ...mounts], rows)
}

function valueCell(outcome: Outcome | undefined): string {
  if (outcome === undefined) return ''
  const seconds = medianOf(outcome, 'seconds')
  if (seconds === undefined) return outcome.problems[0]?.startsWith('over ') ? (outcome.problems[0] ?? '') : 'failed'
  return `${formatValue(outcome.measure, seconds)}${outcome.problems.length > 0 ? ' (!)' : ''}`
}

function costTable(outcomes: readonly Outcome[]): string {
  const head = [
    'workload',
    'mount',
    'result',
    'requests',
    'MB down',
    'MB up',
    'CPU-s',
    'main thread',
    'idle MB',
    'peak MB',
  ]
  const rows = outcomes
    .filter(({ samples }) => samples.length > 0)
    .map(outcome => {
      const number = (figure: Parameters<typeof medianOf>[1], divisor = 1) =>
        formatNumber((medianOf(outcome, figure) ?? 0) / divisor)
      return [
        outcome.workload,
        outcome.mount,
        valueCell(outcome),
        String(Math.round(medianOf(outcome, 'requests') ?? 0)),
        number('bytesDown', 1e6),
        number('bytesUp', 1e6),
        number('cpuSeconds'),
        number('mainThreadSeconds'),
        number('idleBytes', 1e6),
        number('peakBytes', 1e6),
      ]
    })
  return table(head, rows)
}

function problemList(outcomes: readonly Outcome[]): readonly string[] {
  const lines = outcomes.flatMap(({ setting, mount, workload, problems }) =>
    problems.map(problem => `- ${setting}, ${mount}, ${workload}: ${oneLine(problem)}`),
  )
  return lines.length === 0 ? [] : ['## What went wrong', unique(lines).join('\n')]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...rows]
  return lines.map(cells => `| ${cells.map(cell => oneLine(cell).replaceAll('|', '\\|')).join(' | ')} |`).join('\n')
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 300)
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}
