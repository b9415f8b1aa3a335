import { type FileHandle, open as openFile } from 'node:fs/promises'
import { onTestFinished } from 'vitest'

/** As that of node:fs/promises. A test that fails, or is expected to, leaves no file open. */
export async function open(...words: Parameters<typeof openFile>): Promise<FileHandle> {
  const handle = await openFile(...words)
  // A second time is nothing.
  onTestFinished(() => handle.close())
  return handle
}
