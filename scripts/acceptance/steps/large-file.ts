import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run, shell } from '../program.js'
import type { Site } from '../site.js'
import { formatMebibytes, formatSeconds, type Step, timed } from '../step.js'

const MOST_MEMORY_BYTES = 300e6

/** In and out by cp; the driver's memory is looked at after both. */
export const LARGE_FILE: Step = { title: 'a large file copied in and out compares equal', run: copyBothWays }

async function copyBothWays(site: Site): Promise<string> {
  const { largeBytes } = site.settings
  const mount = await site.mount()
  const folder = site.folder('large')
  const original = join(folder, 'original')
  const copy = join(folder, 'copy')
  const inside = mount.path('large')
  await shell('head -c "$1" /dev/urandom > "$2"', [String(largeBytes), original])
  const into = await timed(() => run(['cp', original, inside]))
  // So that reading is not answered from the kernel's pages.
  await run(['dd', `if=${inside}`, 'iflag=nocache', 'count=0', 'status=none'])
  const out = await timed(() => run(['cp', inside, copy]))
  const peakBytes = mount.peakMemoryBytes()
  await run(['cmp', original, copy])
  await run(['rm', inside])
  await rm(folder, { recursive: true })
  const figures = [
    formatMebibytes(largeBytes),
    `in ${formatSeconds(into.seconds)} (${rate(largeBytes, into.seconds)})`,
    `out ${formatSeconds(out.seconds)} (${rate(largeBytes, out.seconds)})`,
    `peak memory of the driver ${(peakBytes / 1e6).toFixed(0)} MB`,
  ].join(', ')
  if (peakBytes >= MOST_MEMORY_BYTES) throw new Error(`more than 300 MB of memory: ${figures}`)
  return figures
}

function rate(bytes: number, seconds: number): string {
  return `${formatMebibytes(bytes / seconds)}/s`
}
