import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ended, isDriver, Scene, said, whyNoMounts } from '../support/mounted.js'
import { built } from '../support/servers.js'

const why = whyNoMounts()
if (why !== undefined) {
  if (process.env.REQUIRE_ALL === '1') throw new Error(`the life of a mount can't be tested: ${why}`)
  process.stderr.write(`SKIPPED: the life of a mount: ${why}\n`)
}

const PROGRAM = join(import.meta.dirname, '../../dist/cli/mount-bucket.js')

describe.skipIf(why !== undefined)('the life of a mount', () => {
  beforeAll(built, 120_000)

  describe('in the background', () => {
    it('is usable when the command returns, and ended by unmount', async () => {
      const scene = new Scene()
      const { exitCode, stdout, stderr } = await scene.run([scene.url, scene.mountPoint])
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      expect(stdout.split('\n')).toEqual([
        `${scene.url} is mounted at ${scene.mountPoint}`,
        `to end it: mount-bucket unmount ${scene.mountPoint}`,
        `its log: ${scene.logFile}`,
      ])
      expect(scene.isMounted).toBe(true)
      await execa('cp', ['/proc/self/status', join(scene.mountPoint, 'copy')])
      const pid = scene.driver()
      const end = await scene.run(['unmount', scene.mountPoint])
      expect(end).toMatchObject({ exitCode: 0, stdout: `${scene.mountPoint} is unmounted, all is stored`, stderr: '' })
      expect(scene.isMounted).toBe(false)
      expect(isDriver(pid)).toBe(false)
      expect(readFileSync(join(scene.storeFolder, 'copy'), 'utf8')).toContain('Name:')
    })

    it('holds neither the terminal, nor the pipe, nor the folder of who mounted', async () => {
      const scene = new Scene()
      const folder = join(scene.folder, 'here')
      mkdirSync(folder)
      // Ends only when every writer of the pipe has closed it.
      const words = `cd ${folder} && ${process.execPath} ${PROGRAM} ${scene.url} ../mnt 2>&1 | cat`
      await execa('sh', ['-c', words], { env: scene.environment })
      expect(scene.isMounted).toBe(true)
      const links = await execa('ls', ['-l', `/proc/${scene.driver()}/fd`, `/proc/${scene.driver()}/cwd`])
      expect(links.stdout).not.toContain(folder)
      expect(links.stdout).toMatch(new RegExp(` 2 -> ${scene.logFile}`))
    })

    it('tells of failures as the foreground does', async () => {
      const scene = new Scene()
      rmSync(scene.storeFolder, { recursive: true })
      const background = await scene.run([scene.url, scene.mountPoint])
      const foreground = await scene.run(['-f', scene.url, scene.mountPoint])
      expect(background.stderr).toMatch(/^mount-bucket: .*store/)
      expect(background.stderr).toBe(foreground.stderr)
      expect(background.exitCode).toBe(foreground.exitCode)
      expect(scene.log()).toContain('ERROR the mount could not be made')
    })

    it('gives up at once when it is told to while the store does not answer', async () => {
      const scene = new Scene()
      const silent = createServer()
      const connected = new Promise<void>(resolve => silent.once('connection', () => resolve()))
      await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => {
        silent.close()
      })
      const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
      const keys = { AWS_ACCESS_KEY_ID: 'made-up', AWS_SECRET_ACCESS_KEY: 'made-up' }
      const words = ['s3://bucket', scene.mountPoint, '--endpoint', endpoint, '--region', 'us-east-1']
      const command = scene.run(words, keys)
      await connected
      command.kill('SIGINT')
      expect(await command).toMatchObject({
        exitCode: 1,
        stderr: 'mount-bucket: ended by SIGTERM before anything was mounted',
      })
      expect(scene.isMounted).toBe(false)
    })
  })

  describe('in the foreground', () => {
    it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends by %s with all stored', async signal => {
      const scene = new Scene()
      const { child } = await scene.serve()
      await execa('sh', ['-c', 'echo text > file'], { cwd: scene.mountPoint })
      child.kill(signal)
      expect(await child).toMatchObject({ exitCode: 0, stderr: '' })
      expect(scene.isMounted).toBe(false)
      expect(readFileSync(join(scene.storeFolder, 'file'), 'utf8')).toBe('text\n')
      expect(scene.log()).toContain(`the mount is being ended reason="${signal}"`)
    })

    it.each([
      ['umount', []],
      ['fusermount3', ['-u']],
    ])('ends when %s takes the mount away', async (program, words) => {
      const scene = new Scene()
      const { child } = await scene.serve()
      await execa(program, [...words, scene.mountPoint])
      expect(await child).toMatchObject({ exitCode: 0, stderr: '' })
      expect(scene.log()).toContain('unmounted, all is stored')
    })

    it('logs to standard error unless a file is named', async () => {
      const scene = new Scene()
      const { child } = await scene.serve([], { MOUNT_BUCKET_LOG_FILE: '' })
      child.kill('SIGTERM')
      expect((await child).stderr).toMatch(/^\d{4}-\S+Z INFO mounted mountPoint=/)
    })

    it('goes on and ends in order when nobody reads its log any more', async () => {
      const scene = new Scene()
      const { child } = await scene.serve(['--log-level', 'debug'], { MOUNT_BUCKET_LOG_FILE: '' })
      child.stdout?.destroy()
      child.stderr?.destroy()
      writeFileSync(join(scene.mountPoint, 'file'), 'bytes')
      child.kill('SIGTERM')
      expect((await child).exitCode).toBe(0)
      expect(readFileSync(join(scene.storeFolder, 'file'), 'utf8')).toBe('bytes')
    })

    it('tells the service manager when it is ready and when it ends', async () => {
      const scene = new Scene()
      const socket = join(scene.folder, 'notify')
      const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    text = s.recv(100).decode()
    print(text, flush=True)
    if text == 'STOPPING=1': break
`
      const listener = execa('python3', ['-c', script, socket])
      await said(listener, 'listening')
      const { child } = await scene.serve([], { NOTIFY_SOCKET: socket })
      child.kill('SIGTERM')
      await child
      expect((await listener).stdout.split('\n')).toEqual(['listening', 'READY=1', 'STOPPING=1'])
    })
  })

  describe('while programs use it', () => {
    it('is not ended by unmount, but by unmount --lazy', async () => {
      const scene = new Scene()
      const pid = await scene.mount()
      const user = execa('sleep', ['1000'], { cwd: scene.mountPoint, reject: false })
      onTestFinished(() => {
        user.kill()
      })
      expect(await scene.run(['unmount', scene.mountPoint])).toMatchObject({
        exitCode: 6,
        stderr: expect.stringContaining(`programs still use ${scene.mountPoint}`),
      })
      expect(scene.isMounted).toBe(true)
      const lazy = scene.run(['unmount', '--lazy', scene.mountPoint])
      user.kill()
      expect(await lazy).toMatchObject({ exitCode: 0 })
      await ended(pid)
    })

    it('is taken away by a signal once all is stored', async () => {
      const scene = new Scene()
      const { child } = await scene.serve()
      const user = execa('sleep', ['1000'], { cwd: scene.mountPoint, reject: false })
      onTestFinished(() => {
        user.kill()
      })
      child.kill('SIGTERM')
      expect(await child).toMatchObject({ exitCode: 0 })
      expect(scene.isMounted).toBe(false)
      expect(scene.log()).toContain('the mount was detached from its mount point')
    })

    it('ends with 7 and says where data is kept that could not be stored', async () => {
      const scene = new Scene()
      const { child } = await scene.serve()
      const writer = execa('sh', ['-c', 'exec 3> file; echo precious >&3; echo ready; exec sleep 1000'], {
        cwd: scene.mountPoint,
        reject: false,
      })
      onTestFinished(() => {
        writer.kill()
      })
      await said(writer, 'ready')
      // The store's folder is a file now.
      renameSync(scene.storeFolder, `${scene.storeFolder}.away`)
      writeFileSync(scene.storeFolder, '')
      child.kill('SIGTERM')
      expect(await child).toMatchObject({ exitCode: 7 })
      const [, keptAt = ''] =
        /ERROR not stored, kept on the local disk path="[^"]*file" keptAt="([^"]+)"/.exec(scene.log()) ?? []
      expect(keptAt).not.toBe('')
      expect(scene.log()).toContain('unmounted, not all is stored')
    })
  })

  describe('a mount point', () => {
    it('must be there, be a folder and be empty', async () => {
      const scene = new Scene()
      const file = join(scene.folder, 'file')
      writeFileSync(file, '')
      for (const [place, line] of [
        [join(scene.folder, 'missing'), 'does not exist: create it'],
        [file, 'is not a folder'],
        [join(file, 'below'), 'is not a folder'],
        [scene.folder, 'is not empty'],
      ] as const) {
        const { exitCode, stderr } = await scene.run([scene.url, place])
        expect(stderr).toMatch(new RegExp(`^mount-bucket: ${scene.folder}.* ${line}.*$`))
        expect(exitCode).toBe(6)
      }
    })

    it('is refused where something of ours is mounted, or inside of it', async () => {
      const scene = new Scene()
      await scene.mount()
      await execa('mkdir', [join(scene.mountPoint, 'folder')])
      const link = join(scene.folder, 'link')
      await execa('ln', ['-s', scene.mountPoint, link])
      for (const [place, line] of [
        [scene.mountPoint, 'is already mounted at'],
        [link, 'is already mounted at'],
        [join(scene.mountPoint, 'folder'), 'lies inside the mount of'],
        [join(link, 'folder'), 'lies inside the mount of'],
      ] as const) {
        const { exitCode, stderr } = await scene.run([scene.url, place])
        expect(stderr).toContain(line)
        expect(exitCode).toBe(6)
      }
    })

    it('with blanks and other letters is a mount point too', async () => {
      const scene = new Scene()
      const place = join(scene.folder, 'my bücket\\ #1')
      mkdirSync(place)
      expect(await scene.run([scene.url, place])).toMatchObject({ exitCode: 0, stderr: '' })
      expect(await scene.run([scene.url, place])).toMatchObject({ exitCode: 6 })
      expect(await scene.run(['unmount', place])).toMatchObject({ exitCode: 0, stderr: '' })
    })

    it('may be named by a link and from the working folder', async () => {
      const scene = new Scene()
      const link = join(scene.folder, 'link')
      await execa('ln', ['-s', 'mnt', link])
      expect(await scene.run([scene.url, link])).toMatchObject({ exitCode: 0 })
      expect(scene.isMounted).toBe(true)
      expect(await scene.run(['unmount', link])).toMatchObject({ exitCode: 0, stderr: '' })
    })

    it('that a dead driver left is cleaned away when mounting there again', async () => {
      const scene = new Scene()
      const pid = await scene.mount()
      process.kill(pid, 'SIGKILL')
      await ended(pid)
      expect((await execa('ls', [scene.mountPoint], { reject: false })).stderr).toMatch(
        /not connected|connection abort/,
      )
      await scene.mount()
      expect(scene.log()).toContain('a mount whose driver is gone was cleaned away')
      await execa('sh', ['-c', 'echo text > file'], { cwd: scene.mountPoint })
      expect(readdirSync(scene.storeFolder)).toContain('file')
    })

    it('that a dead driver left is cleaned away by unmount', async () => {
      const scene = new Scene()
      const pid = await scene.mount()
      process.kill(pid, 'SIGKILL')
      await ended(pid)
      const { exitCode, stderr } = await scene.run(['unmount', scene.mountPoint])
      expect(stderr).toContain('its driver had ended before')
      expect(exitCode).toBe(0)
      expect(scene.isMounted).toBe(false)
    })
  })

  it('begins with a line of fstab, by mount -t fuse.mount-bucket', async () => {
    const scene = new Scene()
    const bin = join(scene.folder, 'bin')
    mkdirSync(bin)
    const program = join(bin, 'mount-bucket')
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`)
    chmodSync(program, 0o755)
    const fstab = join(scene.folder, 'fstab')
    const options =
      'noauto,nofail,_netdev,x-systemd.automount,noatime,nosuid,nodev,allow_other,uid=33,gid=34,umask=027,metadata_ttl=0'
    writeFileSync(fstab, `${scene.url} ${scene.mountPoint} fuse.mount-bucket ${options} 0 0\n`)
    writeFileSync(join(scene.storeFolder, 'file'), 'text')
    // mount.fuse3 knows a few folders only; in a mount namespace of its own one of them can be ours.
    const script = `set -e
mount --bind ${bin} /usr/local/sbin
mount --fstab ${fstab} ${scene.mountPoint}
stat -c '%a %u %g' ${scene.mountPoint} ${scene.mountPoint}/file
grep ' ${scene.mountPoint} ' /proc/self/mountinfo
umount ${scene.mountPoint}`
    const { stdout, stderr } = await execa('unshare', ['-m', 'sh', '-c', script], { env: scene.environment })
    const lines = stdout.split('\n')
    expect(lines[0]).toBe(`${scene.url} is mounted at ${scene.mountPoint}`)
    expect(lines.slice(-3, -1)).toEqual(['750 33 34', '640 33 34'])
    expect(lines.at(-1)).toContain(` - fuse.mount-bucket ${scene.url} rw,`)
    expect(lines.at(-1)).toMatch(/ rw,nosuid,nodev,noatime /)
    expect(lines.at(-1)).toContain('allow_other')
    expect(stderr).toBe('')
    await ended(scene.driver())
    expect(scene.log()).toContain('unmounted, all is stored')
  })
})
