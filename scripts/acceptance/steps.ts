import type { Site } from './site.js'
import { expectEqual, formatMebibytes, type Step } from './step.js'
import { GIT } from './steps/git.js'
import { IN_CONTAINER } from './steps/in-container.js'
import { KILLED_DRIVER } from './steps/killed-driver.js'
import { LARGE_FILE } from './steps/large-file.js'
import { READY } from './steps/ready.js'
import { SMALL_FILES } from './steps/small-files.js'
import { THUMBNAIL } from './steps/thumbnail.js'
import { TOOLS } from './steps/tools.js'

/** All that must work, for each transport. The first one begins on a fresh driver; the last one ends that. */
export const STEPS: readonly Step[] = [
  LARGE_FILE,
  SMALL_FILES,
  THUMBNAIL,
  GIT,
  ...TOOLS,
  IN_CONTAINER,
  KILLED_DRIVER,
  READY,
  { title: 'fusermount3 -u ends the driver that did all this', run: end },
]

async function end(site: Site): Promise<string> {
  const peakBytes = (await site.mount()).peakMemoryBytes()
  expectEqual('its exit code', await site.unmount(), 0)
  return `exit code 0, peak memory ${formatMebibytes(peakBytes)}`
}
