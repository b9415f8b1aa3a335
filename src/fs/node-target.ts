import type { Attachments, ObjectInfo, ObjectVersion } from '../backend/object-store.js'
import { typeFrom } from './attributes.js'
import type { Told } from './known-traits.js'
import type { Moving } from './moving.js'
import type { Mutex } from './mutex.js'
import type { Node } from './node.js'
import type { KernelCache } from './operations.js'
import type { Tree } from './tree.js'
import type { WriterTarget } from './writer-target.js'

/** What all targets need. */
export interface TargetRooms {
  readonly tree: Tree
  readonly moving: Moving
  readonly kernelCache: KernelCache
}

/** A node, as the writer of its file sees it. */
export class NodeTarget implements WriterTarget {
  readonly #node: Node
  readonly #rooms: TargetRooms

  constructor(node: Node, rooms: TargetRooms) {
    this.#node = node
    this.#rooms = rooms
  }

  get path(): string {
    return this.#node.path
  }

  get lock(): Mutex {
    return this.#node.lock
  }

  get isUnlinked(): boolean {
    return this.#node.isUnlinked
  }

  whileNamed<T>(task: () => Promise<T>): Promise<T> {
    return this.#rooms.moving.change(() => [this.#node.path], task)
  }

  expectAttachments(isFetchDue: boolean): void {
    this.#rooms.tree.traits.expect(this.#node, isFetchDue)
  }

  attachments(told?: Told): Promise<Attachments> {
    return this.#rooms.tree.attachments(this.#node, told)
  }

  async current(): Promise<ObjectInfo | undefined> {
    const info = await this.#rooms.tree.knowledge.head(this.#node.path)
    return info !== undefined && typeFrom(info.metadata) === this.#node.type ? info : undefined
  }

  rebased(info: ObjectInfo): void {
    this.#rooms.tree.follow(this.#node, info)
    this.#rooms.kernelCache.invalidateNode(this.#node.id)
  }

  committed(version: ObjectVersion, attachments: Attachments): void {
    this.#rooms.tree.stored(this.#node, version, attachments)
  }

  unanswered(): void {
    this.#rooms.tree.metadata.forget(this.#node.path)
  }

  refused(): void {
    this.#rooms.tree.metadata.forget(this.#node.path)
  }
}
