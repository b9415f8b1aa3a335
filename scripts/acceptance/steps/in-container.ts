import { Container } from '../container.js'
import { run } from '../program.js'
import type { Site } from '../site.js'
import { expectEqual, type Step } from '../step.js'

const UID = 12_345

/** What a job in a container does; the figures of `id` first. */
const JOB = `
id -u
cat from-host.txt
mkdir results
(echo one; sh -c 'echo two') > results/answer.txt
dd if=/dev/zero bs=1000 count=3000 2>/dev/null | cat > results/zeros
mv results/zeros results/nothing
cp results/nothing results/copy
echo three >> results/answer.txt
rm results/copy
stat -c %s results/answer.txt results/nothing`

export const IN_CONTAINER: Step = { title: 'a container reads and writes /bucket as an ordinary user', run: work }

async function work(site: Site): Promise<string> {
  const mountPoint = site.folder('mnt')
  const flags = ['--allow-other', '--uid', String(UID), '--gid', String(UID)]
  const mount = await site.mountAt(mountPoint, site.folder('state'), flags)
  const container = await Container.make(site.folder('container'))
  site.onClose(() => container.removeNow())
  await run(['sh', '-c', `echo 'hello, container' > ${mount.path('from-host.txt')}`])
  const said = await container.run(mountPoint, UID, JOB)
  expectEqual('what the container says', said, [UID, 'hello, container', 14, 3_000_000].join('\n'))
  const owner = await run(['stat', '-c', '%u', mount.path('results/answer.txt')])
  expectEqual('the owner of what it wrote', owner, String(UID))
  expectEqual('what it wrote', await run(['cat', mount.path('results/answer.txt')]), 'one\ntwo\nthree')
  expectEqual('what it left', await run(['ls', mount.path('results')]), 'answer.txt\nnothing')
  expectEqual('the exit code of the driver', await mount.unmount(), 0)
  return `uid ${UID}`
}
