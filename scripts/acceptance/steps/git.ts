import { join } from 'node:path'
import { shell } from '../program.js'
import type { Site } from '../site.js'
import { expectEqual, formatSeconds, type Step, timed } from '../step.js'

/** Nothing of the user's own. */
const ENVIRONMENT = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.org',
}

const MAKE = `
git init -q -b main "$1"; cd "$1"
for round in 1 2 3; do
  for name in $(seq 30); do
    mkdir -p "folder$name"; seq $((round * name * 7)) > "folder$name/file"
  done
  git add .; git commit -qm "round $round"
done
git gc -q
echo last > loose; git add .; git commit -qm last`

/** Clones, checks, commits in the clone, and checks again. */
const CLONE = `
git clone -q "$1" "$2"; cd "$2"
git fsck --full --strict
git status --porcelain
git log --format=%H -n 1`

const COMMIT = `
cd "$1"
echo more >> loose; git commit -qam more
git fsck --full --strict
git status --porcelain
git diff --stat HEAD~1 HEAD | tail -n 1`

export const GIT: Step = { title: 'git clone into the mount, git fsck, git commit', run: clone }

async function clone(site: Site): Promise<string> {
  const mount = await site.mount()
  const origin = join(site.folder('git'), 'origin')
  const surroundings = { env: ENVIRONMENT }
  await shell(MAKE, [origin], surroundings)
  const head = await shell('cd "$1"; git rev-parse HEAD', [origin], surroundings)
  const cloned = await timed(() => shell(CLONE, [origin, mount.path('clone')], surroundings))
  expectEqual('the head of the clone, and nothing to complain about', cloned.value, head)
  const committed = await timed(() => shell(COMMIT, [mount.path('clone')], surroundings))
  expectEqual('the commit', committed.value.trim(), '1 file changed, 1 insertion(+)')
  await shell('rm -r "$1"', [mount.path('clone')])
  return `clone and fsck ${formatSeconds(cloned.seconds)}, commit and fsck ${formatSeconds(committed.seconds)}`
}
