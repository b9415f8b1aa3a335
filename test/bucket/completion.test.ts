import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { built } from '../support/servers.js'

const PROGRAMS = ['bucket', 'mount-bucket'] as const
const installed = await Promise.all(
  ['bash', 'zsh', 'fish'].map(async shell =>
    (await execa(shell, ['--version'], { reject: false })).failed ? '' : shell,
  ),
)
let folder = ''

const scriptOf = (program: string, shell: string) => join(folder, `${program}.${shell}`)

beforeAll(async () => {
  await built()
  folder = await mkdtemp(join(tmpdir(), 'completion-'))
  await writeFile(join(folder, 'a file.txt'), '')
  for (const program of PROGRAMS)
    for (const shell of ['bash', 'zsh', 'fish']) {
      const path = join(import.meta.dirname, `../../dist/cli/${program}.js`)
      const { stdout } = await execa(process.execPath, [path, 'completion', shell])
      await writeFile(scriptOf(program, shell), `${stdout}\n`)
    }
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** What the shell itself offers for a line that ends in the word to be completed. */
const ASK: Readonly<Record<string, (program: string, words: readonly string[]) => Promise<readonly string[]>>> = {
  bash: async (program, words) => {
    const line = [program, ...words].map(word => `'${word}'`).join(' ')
    const name = `_${program.replaceAll('-', '_')}`
    const ask = `source '${scriptOf(program, 'bash')}'; COMP_WORDS=(${line}); COMP_CWORD=${words.length}; ${name}; printf '%s\\n' "\${COMPREPLY[@]}"`
    return (await execa('bash', ['--norc', '-c', ask], { cwd: folder })).stdout.split('\n')
  },
  fish: async (program, words) => {
    const ask = `source '${scriptOf(program, 'fish')}'; complete -C '${[program, ...words].join(' ')}'`
    const env = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
    const { stdout } = await execa('fish', ['--no-config', '-c', ask], { cwd: folder, env })
    return stdout.split('\n').map(line => line.replace(/\t.*/, '').replaceAll('\\', ''))
  },
}

describe.each(['bash', 'fish'])('completion in %s', shell => {
  const ask = (program: string, ...words: readonly string[]) => ASK[shell]?.(program, words)

  it.skipIf(!installed.includes(shell)).each([
    ['bucket', ['sear'], 'search'],
    ['bucket', ['l'], 'ls'],
    ['bucket', ['search', '--met'], '--meta'],
    ['bucket', ['list', '--max'], '--max-keys'],
    ['bucket', ['list', '--acl', 'public-read-'], 'public-read-write'],
    ['bucket', ['list', '--progress', 'js'], 'json'],
    ['bucket', ['--endp'], '--endpoint'],
    ['bucket', ['--config', 'a'], 'a file.txt'],
    ['bucket', ['completion', 'z'], 'zsh'],
    ['mount-bucket', ['unm'], 'unmount'],
    ['mount-bucket', ['unmount', '--la'], '--lazy'],
    ['mount-bucket', ['recover', 'dis'], 'discard'],
    ['mount-bucket', ['--transport', 'ker'], 'kernel'],
    ['mount-bucket', ['a'], 'a file.txt'],
  ])('%s %j: %s', async (program, words, expected) => {
    expect(await ask(program, ...words)).toContain(expected)
  })

  it.skipIf(!installed.includes(shell))('no flags of other commands, and no files where keys are meant', async () => {
    expect(await ask('bucket', 'list', '--met')).not.toContain('--meta')
    expect(await ask('bucket', 'exists', 'a')).not.toContain('a file.txt')
  })
})

/** A shell in which TAB says what the line has become. */
const ZSH_SETUP = [
  'PS1= COLUMNS=300',
  'autoload -U compinit; compinit -D -u',
  'press-tab() { zle complete-word; print -r -- "<LINE>$BUFFER</LINE>" }',
  "zle -N press-tab; bindkey '^I' press-tab",
]

/** A real shell on a terminal of its own, in which a line and TAB are typed. */
const PRESS_TAB = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source '$1'"
zpty -r shell said '*<READY>*'
zpty -w -n shell "$2"$'\\t'
zpty -r shell said '*</LINE>*'
zpty -d shell
said=\${said##*<LINE>}
print -rn -- "\${said%%</LINE>*}"`

describe.skipIf(!installed.includes('zsh'))('completion in zsh', () => {
  it.each(PROGRAMS)('%s: the script is understood and makes itself known', async program => {
    await execa('zsh', ['-f', '-n', scriptOf(program, 'zsh')])
    const load = `autoload -U compinit; compinit -D -u; source '${scriptOf(program, 'zsh')}'; print -r -- $_comps[${program}]`
    expect((await execa('zsh', ['-f', '-c', load], { cwd: folder })).stdout).toBe(`_${program}`)
  })

  it.each([
    ['bucket sear', 'bucket search '],
    ['bucket search --met', 'bucket search --meta='],
    ['bucket list --max', 'bucket list --max-keys='],
    ['bucket list x --acl public-read-', 'bucket list x --acl public-read-write '],
    ['bucket list --progress=js', 'bucket list --progress=json '],
    ['bucket --endp', 'bucket --endpoint='],
    ['bucket --config a', 'bucket --config a\\ file.txt '],
    ['bucket put a', 'bucket put a\\ file.txt '],
    ['bucket list a', 'bucket list a'],
    ['bucket presign del', 'bucket presign delete '],
    ['bucket completion z', 'bucket completion zsh '],
    ['mount-bucket unm', 'mount-bucket unmount '],
    ['mount-bucket unmount --la', 'mount-bucket unmount --lazy '],
    ['mount-bucket recover dis', 'mount-bucket recover discard '],
    ['mount-bucket --transport ker', 'mount-bucket --transport kernel '],
    ['mount-bucket a', 'mount-bucket a\\ file.txt '],
  ])('%s and the key TAB: %s', async (line, expected) => {
    const setup = join(folder, 'setup.zsh')
    const sources = PROGRAMS.map(program => `source '${scriptOf(program, 'zsh')}'`)
    await writeFile(setup, [...ZSH_SETUP, ...sources, "print -r -- '<READY>'"].join('\n'))
    const { stdout } = await execa('zsh', ['-f', '-c', PRESS_TAB, 'zsh', setup, line], { cwd: folder })
    expect(stdout).toBe(expected)
  })
})
