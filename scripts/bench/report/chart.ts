import { describe } from '../machine.js'
import { formatValue, medianOf, type Outcome, resultOf } from '../sample.js'
import type { BenchReport } from './bench-report.js'

const COLOURS = ['#1f6feb', '#8250df', '#d29922', '#57606a', '#2da44e', '#cf222e', '#0a7ea4', '#bc4c00']
const TITLE_WIDTH = 330
const PANEL_WIDTH = 330
const BAR_WIDTH = 230
const BAR_HEIGHT = 10
const GROUP_GAP = 10
const HEAD_HEIGHT = 64

/**
 * A bar for each mount in each workload, the settings side by side. Within a group the longest bar is the largest number;
 * the unit says whether more (MB/s) or less (s, ms) is better.
 */
export function chartOf(report: BenchReport): string {
  const mounts = unique(report.outcomes.map(({ mount }) => mount))
  const workloads = unique(report.outcomes.map(({ workload }) => workload))
  const groupHeight = mounts.length * (BAR_HEIGHT + 2) + GROUP_GAP
  const width = TITLE_WIDTH + report.settings.length * PANEL_WIDTH + 10
  const height = HEAD_HEIGHT + workloads.length * groupHeight + 28
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    '<title>Times and rates of drivers, side by side</title>',
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...legend(mounts),
    ...report.settings.map(({ name, title }, index) =>
      text(TITLE_WIDTH + index * PANEL_WIDTH, HEAD_HEIGHT - 14, `${name}: ${title}`, 'font-weight="bold"'),
    ),
  ]
  for (const [row, workload] of workloads.entries()) {
    const top = HEAD_HEIGHT + row * groupHeight
    const group = report.outcomes.filter(outcome => outcome.workload === workload)
    parts.push(text(10, top + BAR_HEIGHT, `${group[0]?.title ?? workload} ${direction(group[0])}`))
    for (const [index, { name }] of report.settings.entries()) {
      const panel = group.filter(({ setting }) => setting === name)
      parts.push(...bars(panel, mounts, TITLE_WIDTH + index * PANEL_WIDTH, top))
    }
  }
  const note = `Medians of ${report.rounds} rounds on ${describe(report.machine)}`
  parts.push(text(10, height - 10, note, 'fill="#57606a"'), '</svg>')
  return `${parts.join('\n')}\n`
}

function legend(mounts: readonly string[]): readonly string[] {
  return mounts.flatMap((mount, index) => [
    `<rect x="${10 + index * 130}" y="12" width="12" height="12" fill="${colourOf(index)}"/>`,
    text(28 + index * 130, 22, mount),
  ])
}

function bars(panel: readonly Outcome[], mounts: readonly string[], left: number, top: number): readonly string[] {
  const values = panel.map(value).filter(number => number !== undefined)
  const largest = Math.max(...values, Number.MIN_VALUE)
  return mounts.flatMap((mount, index) => {
    const outcome = panel.find(candidate => candidate.mount === mount)
    if (outcome === undefined) return []
    const y = top + index * (BAR_HEIGHT + 2)
    const number = value(outcome)
    if (number === undefined)
      return [text(left, y + BAR_HEIGHT - 1, outcome.problems[0]?.slice(0, 40) ?? '', 'fill="#cf222e"')]
    const length = Math.max((number / largest) * BAR_WIDTH, 1).toFixed(1)
    const label = formatValue(outcome.measure, medianOf(outcome, 'seconds') ?? 0)
    return [
      `<rect x="${left}" y="${y}" width="${length}" height="${BAR_HEIGHT}" fill="${colourOf(index)}"/>`,
      text(left + Number(length) + 5, y + BAR_HEIGHT - 1, label),
    ]
  })
}

function value(outcome: Outcome): number | undefined {
  const seconds = medianOf(outcome, 'seconds')
  return seconds === undefined ? undefined : resultOf(outcome.measure, seconds)
}

function direction(outcome: Outcome | undefined): string {
  return outcome?.measure.kind === 'rate' ? '(more is better)' : ''
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#000000'
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)]
}
