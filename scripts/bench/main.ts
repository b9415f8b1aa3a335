import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Leavings } from '../acceptance/leavings.js'
import { bench } from './bench.js'
import { chartOf } from './report/chart.js'
import { markdownOf } from './report/markdown.js'
import { type BenchSettings, readSettings, USAGE } from './settings.js'

function settingsOrUsage(): BenchSettings {
  try {
    const settings = readSettings(process.argv.slice(2))
    if (settings !== undefined) return settings
    console.log(USAGE)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    process.exit(2)
  }
  process.exit(0)
}

const settings = settingsOrUsage()
const leavings = new Leavings()
process.once('exit', () => leavings.clear())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))

const report = await bench(settings, leavings, line => console.error(line))
const markdown = markdownOf(report)
mkdirSync(settings.outputFolder, { recursive: true })
writeFileSync(join(settings.outputFolder, 'bench.md'), markdown)
writeFileSync(join(settings.outputFolder, 'bench.json'), `${JSON.stringify(report, undefined, 2)}\n`)
writeFileSync(join(settings.outputFolder, 'bench.svg'), chartOf(report))
process.stdout.write(markdown)
process.exit(0)
