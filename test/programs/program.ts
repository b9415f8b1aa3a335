import type { PosixContext } from '../posix/posix-context.js'

/** What an ordinary program is used for, done in an empty folder. */
export interface Program {
  /** What has to be installed besides what every Debian has. */
  readonly needs?: readonly string[]
  /**
   * Rejects when something is not as it must be. What it resolves with, and what it leaves behind, is the same on every
   * file system; what differs from run to run anyway is left below a folder named `own`.
   */
  run(t: PosixContext): Promise<string>
  /** Goes on where `run` ended, once the mount has ended and begun again. Resolves with the same on every file system. */
  goOn?(t: PosixContext): Promise<string>
}

export type Programs = Readonly<Record<string, Program>>

/**
 * Shell functions for the scripts: `plain_tree DIR` makes files and folders of many sizes, modes, owners and times of
 * long ago; `tree DIR` adds symbolic links; `elsewhere` is a new folder outside, gone when the script ends.
 */
export const TREES = `
elsewhere() { outside=$(mktemp -d /tmp/mount-bucket-test-XXXXXX); trap 'rm -rf "$outside"' EXIT; }
plain_tree() {
  mkdir -p "$1/sub/deep" "$1/empty" "$1/with space"
  seq 1 20000 > "$1/numbers"; printf x > "$1/sub/one"; : > "$1/sub/nothing"; echo text > "$1/with space/ä"
  head -c 3000000 /dev/zero | tr '\\0' q > "$1/sub/deep/large"
  echo '#!/bin/sh' > "$1/run"
  chown 1234:5678 "$1/sub/one" "$1/empty"
  chmod 755 "$1/run"; chmod 600 "$1/sub/one"; chmod 444 "$1/sub/nothing"; chmod 2750 "$1/empty"; chmod 1777 "$1/with space"
  dates "$1"
}
tree() {
  plain_tree "$1"
  ln -s numbers "$1/link"; ln -s ../../numbers "$1/sub/deep/up"; ln -s /nowhere/to/be/found "$1/dangling"
  ln -s sub "$1/folder link"
  dates "$1"
}
dates() {
  find "$1" -depth ! -type d -exec touch -h -d '2001-02-03 04:05:06.123456789' {} +
  find "$1" -depth -type d -exec touch -d '2002-03-04 05:06:07.5' {} +
}
`
