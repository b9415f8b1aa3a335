/** What doc/CONFIGURATION.md says besides the tables. */
export const INTRODUCTION = `
# Configuration

This file is generated from the option table in \`src/config\` by \`scripts/docs\`: change it there.

\`\`\`
mount-bucket [OPTIONS] [URL] MOUNTPOINT
mount-bucket unmount [--lazy] MOUNTPOINT
mount-bucket recover [list [MOUNTPOINT] | save ID FILE | retry ID | discard ID...]
mount-bucket cache [usage [--json] | clear] [--cache-dir FOLDER]
mount-bucket prefetch [--quiet] PATH...
\`\`\`

Every option has one name, which is written in four ways. The first of them that says something counts:

1. a flag, \`--part-size 16M\`, or the same in a list of mount options, \`-o part_size=16M\` (the flag counts before the list);
2. a variable of the environment, \`MOUNT_BUCKET_PART_SIZE=16M\`;
3. a line of a configuration file, \`part-size: 16M\`, of the profile chosen by \`--use\` before the general ones;
4. its default.

Switches are turned on by \`--read-only\`, \`-o read_only\`, \`MOUNT_BUCKET_READ_ONLY=true\` or \`read-only: true\`, and off by
\`--no-read-only\`, \`-o no_read_only\`, \`false\` in place of \`true\`, or \`no-\` before the name; \`yes\`, \`no\`, \`on\`, \`off\`, \`1\`
and \`0\` do as well.

Sizes are \`64M\` or \`64MiB\` (of 1,024), \`64MB\` (of 1,000) or a number of bytes. Times are \`500ms\`, \`10s\`, \`5m\`, \`2h\`, \`7d\`
or a number of seconds. Whatever is wrong with a configuration is said at once, all of it, and nothing is mounted.

Of two options that exclude each other (\`--allow-other\` and \`--allow-root\`, \`--no-sign-request\` and \`--profile\`,
\`--sse-c-key-file\` and \`--sse\`, \`--read-only\` and \`--acl\`, ...) the one that stands in the nearer place counts; in one
place they are an error. Options for S3 are an error on the command line of another store.
`

const FILES = `
## Configuration files

\`$XDG_CONFIG_HOME/mount-bucket/config.yaml\` (\`~/.config\` where the variable is not set) is read before
\`/etc/mount-bucket/config.yaml\`; with \`--config FILE\`, that file is the only one.

\`\`\`yaml
metadata-ttl: 30s
region: eu-central-1

profiles:
  photos:
    url: s3://photos/originals
    mount-point: /mnt/photos
    read-only: true
  nas:
    url: s3://backup
    endpoint: http://nas:9000
    profile: nas
\`\`\`

\`mount-bucket --use photos\` then mounts \`s3://photos/originals\` at \`/mnt/photos\`, and \`mount-bucket --use nas /mnt\` the
other. \`use: photos\` in the file makes a profile the usual one. Keys are best left to AWS's own places, where they are found as
its tools find them (environment, \`~/.aws\`, SSO, the machine's role), and \`--profile\` names a profile of those. A file that has them
(\`access-key-id\`, \`secret-access-key\`, \`session-token\`) must be readable by its owner alone, or is refused without \`--insecure-config\`.

A section \`s3:\` as the Python module s3 0.1.3 has it is read as it is, at the top or in a profile: \`access_key_id\`,
\`secret_access_key\`, \`default_bucket\`, \`endpoint\` (a host) and \`tls\`. What is said in words of ours counts before it.
`

const MOUNT_OPTIONS = `
## mount(8) and /etc/fstab

\`\`\`
s3://photos  /mnt/photos  fuse.mount-bucket  _netdev,nofail,allow_other,uid=1000,region=eu-central-1  0  0
none         /mnt/nas     fuse.mount-bucket  _netdev,use=nas                                          0  0
\`\`\`

Package fuse3 brings the program that mount(8) calls; it looks for \`mount-bucket\` in \`/usr/local/sbin\`, \`/usr/local/bin\`,
\`/usr/sbin\`, \`/usr/bin\`, \`/sbin\` and \`/bin\` only. \`none\` in the first column leaves the URL to the options. In \`-o\`:

- \`ro\` and \`rw\` are \`--read-only\` and its opposite; every option of ours goes by its name with \`_\` or \`-\`; \`\\,\` is a comma
  within a value;
- \`suid\`, \`dev\`, \`exec\`, \`atime\`, \`diratime\`, \`relatime\`, \`strictatime\`, \`lazytime\`, \`sync\`, \`dirsync\` and their opposites
  go to the kernel; \`nosuid\` and \`nodev\` hold unless \`suid\` and \`dev\` are given (mount(8) gives both for lines of fstab
  that do not say otherwise);
- \`defaults\`, \`auto\`, \`noauto\`, \`user\`, \`nouser\`, \`users\`, \`owner\`, \`group\`, \`nofail\`, \`_netdev\`, \`comment=\` and everything that begins
  with \`x-\` are for others and change nothing here;
- anything else is an error.
`

const DISK_CACHE = `
## The disk cache

\`--cache-dir FOLDER\` keeps what is read of \`s3://\` stores below \`FOLDER/mount-bucket-cache-1/\`, for this and later mounts of the
same user, of any buckets and at any mount points. It is found by endpoint, bucket, key, ETag and size, so that it is
never stale, and has a checksum for every 64 KiB. The folder is for its user alone (0700, files 0600); what it holds is not
encrypted, also where the bucket is. It may be removed, or emptied by \`mount-bucket cache clear\`, at any time; nothing
else in FOLDER is ever touched. The number in its name is the version of its format.

All mounts together stay within \`--cache-size\` and leave \`--cache-free\` of the disk to others (looked after when
something is added, and every minute); what was used least recently goes first. Writing to the disk never holds a reader
up: what the disk does not take in time follows when nobody reads, from the kernel's page cache (not with fuse-native); what that holds
no longer is left out, and comes from the store the next time. A disk that fails, hangs or
is slower than the store is left out for half a minute at a time, and the log says so; the time for which the driver waits for a
busy processor does not count (Linux). \`mount-bucket prefetch\` waits for the disk.
`

const PLACES = `
## Places

| | ordinary users | root |
| --- | --- | --- |
| state of a mount | \`$XDG_STATE_HOME/mount-bucket/ID/\` (\`~/.local/state\`) | \`/var/lib/mount-bucket/ID/\` |
| the store without a URL | \`$XDG_DATA_HOME/mount-bucket/store/\` (\`~/.local/share\`) | \`/var/lib/mount-bucket/store/\` |
| log in the background | \`log\` in the state of the mount | \`/var/log/mount-bucket/\` |

ID is made from the URL and the mount point, so that the same mount finds its state again. A log is begun anew when it
is full; one older file, \`.1\`, is kept beside it. \`DEBUG=mount-bucket:*\` adds traces to it.

## Service managers

With \`--foreground\`, a service of \`Type=notify\` is told when the mount can be used and when it ends (\`$NOTIFY_SOCKET\`).
SIGTERM, SIGINT and SIGHUP end a mount as \`mount-bucket unmount\` does, but also when programs still use it: then it is
taken out of their sight once all is stored. A second signal waits for nothing any more, but that
what is not stored is on the local disk.
`

export const CHAPTERS: readonly string[] = [FILES, MOUNT_OPTIONS, DISK_CACHE, PLACES]

export const EXIT_CODES = `
## Exit codes

| Code | Meaning |
| --- | --- |
| 0 | done; of a mount: it has ended and all is stored |
| 1 | failed |
| 2 | usage or configuration |
| 3 | not found (the bucket; for \`recover\`, the ID; for \`prefetch\`, the path) |
| 4 | denied: credentials or their rights |
| 5 | the store can't be reached |
| 6 | the mount point is unfit: missing, no folder, not empty, already mounted; or, to be unmounted, none of ours or in use |
| 7 | not all data could be stored; it is kept on the local disk: \`mount-bucket recover\` |
`
