import type { Workload } from '../workload.js'
import { FILES } from './files.js'
import { PIECES } from './pieces.js'
import { STREAMS } from './streams.js'
import { TREES } from './trees.js'

export const WORKLOADS: readonly Workload[] = [...STREAMS, ...PIECES, ...FILES, ...TREES]
