import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Leavings } from '../acceptance/leavings.js'
import { clearAtExit, settingsOrUsage } from '../program.js'
import { bench } from './bench.js'
import { chartOf } from './report/chart.js'
import { markdownOf } from './report/markdown.js'
import { readSettings, USAGE } from './settings.js'

const settings = settingsOrUsage(readSettings, USAGE)
const leavings = new Leavings()
clearAtExit(leavings)

const report = await bench(settings, leavings, line => console.error(line))
const markdown = markdownOf(report)
mkdirSync(settings.outputFolder, { recursive: true })
writeFileSync(join(settings.outputFolder, 'bench.md'), markdown)
writeFileSync(join(settings.outputFolder, 'bench.json'), `${JSON.stringify(report, undefined, 2)}\n`)
writeFileSync(join(settings.outputFolder, 'bench.svg'), chartOf(report))
process.stdout.write(markdown)
process.exit(0)
