/** One thing wrong with a configuration. */
export interface Fault {
  /** Where it stands: a flag, a variable, a file with its line. */
  readonly place: string
  readonly expected: string
  readonly found: string
}

/** All that is wrong with a configuration, at once. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[], options?: ErrorOptions) {
    super(faults.map(describeFault).join('\n'), options)
    this.faults = faults
  }
}

export function describeFault(fault: Fault): string {
  return `${fault.place}: expected ${fault.expected}, found ${fault.found}`
}
