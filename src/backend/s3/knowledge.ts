import type { Log } from '../log.js'
import type { KnowledgeKeeper } from './options.js'

/** The four operations whose conditions a server keeps or not, each for itself. */
export const CONDITIONAL_OPERATIONS = ['put', 'complete', 'copy', 'delete'] as const
export type ConditionalOperation = (typeof CONDITIONAL_OPERATIONS)[number]

/** `ignored`: carried out whatever the condition says. `refused`: an error at the mere sight of it. */
export type Finding = 'atomic' | 'ignored' | 'refused'

/** What is known of one endpoint and bucket. */
export interface Knowledge {
  readonly conditions: Partial<Record<ConditionalOperation, Finding>>
  /** If-Match of a PUT wants its ETag without quotes (Ceph RGW 16). */
  readonly bareIfMatch: boolean
  /** UploadPartCopy decodes the name of its source twice (Ceph RGW 16, which dies of a `%` that decodes to nothing). */
  readonly partSourceTwiceDecoded?: boolean | undefined
  /** `counted`: HEAD and GET both tell how many tags there are; `none`: the server does not know tags. */
  readonly tags?: 'none' | 'counted' | 'uncounted' | undefined
  /** Tags outlast a copy that replaces metadata, and one may give others (Ceph RGW 16 loses and spoils them). */
  readonly copiesKeepTags?: boolean | undefined
  /** An upload may give tags to its object (Ceph RGW 16 spoils them). */
  readonly uploadsKeepTags?: boolean | undefined
  /** False: the server does not know ACLs. */
  readonly acls?: false | undefined
}

const NOTHING: Knowledge = { conditions: {}, bareIfMatch: false }
/** 2: tags are `counted` only where GET counts them, too. */
const FORMAT = 2

/** What is known, in memory and where the keeper keeps it. */
export class KnowledgeBase {
  readonly #keeper: KnowledgeKeeper | undefined
  readonly #log: Log
  #value: Knowledge

  constructor(value: Knowledge, log: Log, keeper?: KnowledgeKeeper) {
    this.#value = value
    this.#log = log
    this.#keeper = keeper
  }

  /** Reads what was kept; anything that does not look right counts as nothing known. */
  static async load(keeper: KnowledgeKeeper | undefined, log: Log): Promise<KnowledgeBase> {
    try {
      return new KnowledgeBase(parse(await keeper?.load()), log, keeper)
    } catch (error) {
      log.warn('what is known of the endpoint could not be read, it will be found out again', { error })
      return new KnowledgeBase(NOTHING, log, keeper)
    }
  }

  get value(): Knowledge {
    return this.#value
  }

  /** Never rejects: what could not be kept is found out again the next time. */
  async add(facts: Partial<Knowledge>): Promise<void> {
    const conditions = { ...this.#value.conditions, ...facts.conditions }
    this.#value = { ...this.#value, ...facts, conditions }
    try {
      await this.#keeper?.save({ format: FORMAT, ...this.#value })
    } catch (error) {
      this.#log.warn('what is known of the endpoint could not be kept', { error })
    }
  }
}

function parse(value: unknown): Knowledge {
  if (!isRecord(value) || value.format !== FORMAT || !isRecord(value.conditions)) return NOTHING
  const found = value.conditions
  const conditions = Object.fromEntries(
    CONDITIONAL_OPERATIONS.map(operation => [operation, found[operation]]).filter(([, finding]) => isFinding(finding)),
  )
  const { partSourceTwiceDecoded, tags, copiesKeepTags, uploadsKeepTags } = value
  return {
    conditions,
    bareIfMatch: value.bareIfMatch === true,
    ...(typeof partSourceTwiceDecoded === 'boolean' && { partSourceTwiceDecoded }),
    ...((tags === 'none' || tags === 'counted' || tags === 'uncounted') && { tags }),
    ...(typeof copiesKeepTags === 'boolean' && { copiesKeepTags }),
    ...(typeof uploadsKeepTags === 'boolean' && { uploadsKeepTags }),
    ...(value.acls === false && { acls: false }),
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isFinding(value: unknown): value is Finding {
  return value === 'atomic' || value === 'ignored' || value === 'refused'
}
