/** What data threads run to answer READs. */
import type { Answerer } from '../../cache/lanes/answering-threads.js'
import { headerOf } from '../protocol/out-header.js'
import { unexpectedErrno, writeAnswer } from './answer-pieces.js'

export interface ReadAnswersData {
  readonly descriptor: number
}

export function openAnswerer(settings: unknown): Answerer {
  const { descriptor } = settings as ReadAnswersData
  return {
    answer: (unique, views) => {
      try {
        writeAnswer(descriptor, [headerOf(views, unique), ...views])
        return undefined
      } catch (error) {
        return unexpectedErrno(error)
      }
    },
  }
}
