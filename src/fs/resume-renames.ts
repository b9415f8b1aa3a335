import type { Log } from '../backend/log.js'
import type { ObjectStore } from '../backend/object-store.js'
import { FolderMove } from './folder-move.js'
import type { RenameEntry, RenameJournal } from './rename-journal.js'

/**
 * Finishes the moves of folders that an earlier driver left, before anything is served. A move that was copying goes on:
 * its program was never answered, and who looks for the data finds all of it under one name, the new one. Only a move
 * that had failed already is taken back. What can't be finished now is tried at the next mount.
 */
export async function resumeRenames(store: ObjectStore, journal: RenameJournal, log: Log): Promise<void> {
  for (const entry of await journal.unfinished(store.url)) {
    const { from, to, startedMs } = entry.record
    const about = { from, to, startedMs, phase: entry.phase }
    try {
      log.warn('an earlier driver did not finish renaming a folder; that is done now', about)
      await finish(store, entry, log)
      await entry.end()
    } catch (error) {
      log.error('a folder could not be renamed to the end; both names hold a part, the next mount tries again', {
        ...about,
        error,
      })
      await entry.leave()
    }
  }
}

async function finish(store: ObjectStore, entry: RenameEntry, log: Log): Promise<void> {
  const move = new FolderMove(store, entry, log)
  if (entry.phase === 'returning') return move.takeBack()
  if (entry.phase === 'copying') {
    await move.copy('leave')
    await entry.advance('deleting', move.newestMs)
  }
  // What came under the old name after the move had ended for its program is nobody's to move.
  await move.deleteSources({ late: false })
}
