import { onTestFinished } from 'vitest'

/** Closes what a test has made once the test is over, whatever became of it; the latest first. */
export function endsWithTest<Made extends { close(): Promise<void> }>(made: Made): Made {
  onTestFinished(() => made.close())
  return made
}
