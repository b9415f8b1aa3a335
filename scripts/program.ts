/** What stands around each of these programs: how it is called, and what it leaves behind when it ends. */

/** What the words say. Where they only ask for help (undefined) or are wrong (`read` throws) the program ends with its usage. */
export function settingsOrUsage<Settings>(
  read: (words: readonly string[]) => Settings | undefined,
  usage: string,
): Settings {
  try {
    const settings = read(process.argv.slice(2))
    if (settings !== undefined) return settings
    console.log(usage)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exit(2)
  }
  process.exit(0)
}

/** Clears up when the program ends, also where a signal ends it. */
export function clearAtExit(leavings: { clear(): void }): void {
  process.once('exit', () => leavings.clear())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
}
