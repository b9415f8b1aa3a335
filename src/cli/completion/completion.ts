import type { ProgramModel } from '../command-model.js'
import { bashScript } from './bash.js'
import { fishScript } from './fish.js'
import { zshScript } from './zsh.js'

/** The shells that a script can be made for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

export type Shell = (typeof SHELLS)[number]

const SCRIPTS: Readonly<Record<Shell, (program: ProgramModel) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

/** What the shell reads to complete the program's commands, flags and their values. */
export function completionScript(shell: Shell, program: ProgramModel): string {
  return SCRIPTS[shell](program)
}

/** How to use it, for help. */
export function completionHelp(program: string): string {
  return `
To use it:
  bash   ${program} completion bash > ~/.local/share/bash-completion/completions/${program}
  zsh    ${program} completion zsh > ~/.zfunc/_${program}     (with ~/.zfunc in fpath, before compinit)
  fish   ${program} completion fish > ~/.config/fish/completions/${program}.fish`
}
