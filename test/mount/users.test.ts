import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { canMount } from '../support/mount-driver.js'
import { canBeOthers, PrivateMachine } from '../support/private-machine.js'
import { built } from '../support/servers.js'

const OWNER = 65_534
const OTHER = 65_533

const isPossible = canMount() && canBeOthers()

describe.skipIf(!isPossible)('ordinary users', () => {
  let machine: PrivateMachine

  beforeAll(async () => {
    await built()
    machine = await PrivateMachine.start()
  })
  beforeEach(() => {
    machine.userAllowOther = false
  })
  afterAll(() => machine?.stop())

  /** Mounts a new folder of the owner's as a store and gives the mount point. */
  async function mounted(...flags: readonly string[]): Promise<string> {
    const mountPoint = machine.mountPoint(OWNER)
    const store = mountPoint.replace('mnt', 'store')
    await machine.run(OWNER, ['mkdir', store])
    const said = await machine.mountBucket(OWNER, [`file://${store}`, mountPoint, ...flags])
    expect(said).toMatchObject({ exitCode: 0, stderr: '' })
    return mountPoint
  }

  describe.each(['kernel', 'fuse-native'] as const)('over the %s transport', transport => {
    const flags = ['--transport', transport]

    test('mount the embedded store, use it and unmount it', async () => {
      const mountPoint = machine.mountPoint(OWNER)
      await machine.run(OWNER, ['rm', '-rf', `${machine.home(OWNER)}/.local`])
      const said = await machine.mountBucket(OWNER, [mountPoint, ...flags])
      expect(said).toMatchObject({ exitCode: 0, stderr: '' })
      const store = `${machine.home(OWNER)}/.local/share/mount-bucket/store`
      expect(said.stdout.split('\n')[0]).toBe(`file://${store} is mounted at ${mountPoint}`)
      const script = `cd ${mountPoint}; echo text > file; mkdir folder; cp file folder; cat folder/file; stat -c %u:%g . file`
      const owner = `${OWNER}:${OWNER}`
      expect(await machine.shell(OWNER, script)).toMatchObject({ stdout: `text\n${owner}\n${owner}`, stderr: '' })
      expect(await machine.mountBucket(OWNER, ['unmount', mountPoint])).toEqual({
        exitCode: 0,
        stdout: `${mountPoint} is unmounted, all is stored`,
        stderr: '',
      })
      expect(machine.isMounted(mountPoint)).toBe(false)
      expect((await machine.shell(OWNER, `cat ${store}/folder/file`)).stdout).toBe('text')
    })

    test('unmount with fusermount3', async () => {
      const mountPoint = await mounted(...flags)
      expect(await machine.run(OWNER, ['fusermount3', '-u', mountPoint])).toMatchObject({ exitCode: 0, stderr: '' })
      expect(machine.isMounted(mountPoint)).toBe(false)
    })

    test('are alone in their mount: not even root may look', async () => {
      const mountPoint = await mounted(...flags)
      for (const uid of [OTHER, 0]) {
        const said = await machine.run(uid, ['ls', mountPoint])
        expect(said.stderr).toContain('Permission denied')
        expect(said.exitCode).toBe(2)
      }
      expect(await machine.run(OWNER, ['ls', mountPoint])).toMatchObject({ exitCode: 0 })
    })

    test.each(['--allow-other', '--allow-root'])('are told what %s needs', async flag => {
      const mountPoint = machine.mountPoint(OWNER)
      const said = await machine.mountBucket(OWNER, [mountPoint, flag, ...flags])
      expect(said.stderr).toMatch(/user_allow_other.* \/etc\/fuse\.conf/)
      expect(said.stderr).toMatch(/^mount-bucket: /)
      expect(said.exitCode).not.toBe(0)
      expect(machine.isMounted(mountPoint)).toBe(false)
    })

    test('let others in with --allow-other, as far as modes allow it', async () => {
      machine.userAllowOther = true
      const mountPoint = await mounted('--allow-other', ...flags)
      await machine.shell(OWNER, `cd ${mountPoint}; echo open > open; echo secret > secret; chmod 600 secret`)
      expect(await machine.shell(OTHER, `cat ${mountPoint}/open`)).toMatchObject({ stdout: 'open', exitCode: 0 })
      for (const script of ['cat secret', 'echo more >> open', 'echo new > new', 'rm open', 'chmod 666 open']) {
        const said = await machine.shell(OTHER, `cd ${mountPoint}; ${script}`)
        expect(`${script}: ${said.stderr}`).toMatch(/Permission denied|not permitted/)
        expect(said.exitCode).not.toBe(0)
      }
      expect(await machine.shell(0, `cat ${mountPoint}/secret`)).toMatchObject({ stdout: 'secret', exitCode: 0 })
    })

    test('let root in with --allow-root, and nobody else', async () => {
      machine.userAllowOther = true
      const mountPoint = await mounted('--allow-root', ...flags)
      expect(await machine.shell(OWNER, `echo text > ${mountPoint}/file`)).toMatchObject({ exitCode: 0, stderr: '' })
      expect(await machine.run(0, ['cat', `${mountPoint}/file`])).toMatchObject({ stdout: 'text', exitCode: 0 })
      const said = await machine.run(OTHER, ['cat', `${mountPoint}/file`])
      expect(said.stderr).toContain('Permission denied')
    })

    test.each([
      [['--uid=7', '--gid=8'], '7:8 755', '7:8 644'],
      [['--file-mode=640', '--dir-mode=710'], `${OWNER}:${OWNER} 710`, `${OWNER}:${OWNER} 640`],
      [['--umask=027'], `${OWNER}:${OWNER} 750`, `${OWNER}:${OWNER} 640`],
      [['-o', 'uid=7,umask=007'], `7:${OWNER} 770`, `7:${OWNER} 660`],
    ])('see the owners and modes of %s', async (given, folder, file) => {
      const mountPoint = machine.mountPoint(OWNER)
      const store = mountPoint.replace('mnt', 'store')
      // Objects that carry no attributes of their own: other programs put them there.
      await machine.shell(OWNER, `mkdir -p ${store}/folder; echo text > ${store}/folder/file`)
      expect(await machine.mountBucket(OWNER, [`file://${store}`, mountPoint, ...given, ...flags])).toMatchObject({
        exitCode: 0,
        stderr: '',
      })
      const said = await machine.run(OWNER, ['stat', '-c', '%u:%g %a', mountPoint])
      expect(said).toMatchObject({ stdout: folder, exitCode: 0 })
      const inside = await machine.shell(OWNER, `stat -c '%u:%g %a' ${mountPoint}/folder ${mountPoint}/folder/file`)
      expect(inside).toMatchObject({ stdout: `${folder}\n${file}` })
    })

    test('do what they like without default permissions', async () => {
      machine.userAllowOther = true
      const mountPoint = await mounted('--allow-other', '--no-default-permissions', ...flags)
      await machine.shell(OWNER, `echo secret > ${mountPoint}/secret; chmod 600 ${mountPoint}/secret`)
      expect(await machine.shell(OTHER, `cat ${mountPoint}/secret`)).toMatchObject({ stdout: 'secret', exitCode: 0 })
    })
  })

  test('see who made a file, over the kernel transport', async () => {
    machine.userAllowOther = true
    const mountPoint = await mounted('--allow-other', '--dir-mode=777')
    await machine.shell(OTHER, `cd ${mountPoint}; echo text > theirs; mkdir folder`)
    const said = await machine.shell(OWNER, `cd ${mountPoint}; stat -c %u:%g theirs folder; echo more >> theirs`)
    expect(said.stdout).toBe(`${OTHER}:${OTHER}\n${OTHER}:${OTHER}`)
    expect(said.stderr).toContain('Permission denied')
  })

  test('can not unmount what belongs to another', async () => {
    const mountPoint = await mounted()
    expect((await machine.run(OTHER, ['fusermount3', '-u', mountPoint])).exitCode).not.toBe(0)
    const said = await machine.mountBucket(OTHER, ['unmount', mountPoint])
    expect(said.exitCode).toBe(6)
    expect(said.stderr).toContain(`${mountPoint} can't be unmounted`)
    expect(machine.isMounted(mountPoint)).toBe(true)
  })
})
