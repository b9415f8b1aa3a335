/**
 * Sizes that every part of the protocol leans on. Source of all structures in this folder:
 * include/uapi/linux/fuse.h, protocol 7.31 to 7.45. All fields are little-endian, as the machines that Node runs on.
 */

/** fuse_in_header: len, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding. */
export const IN_HEADER_BYTES = 40
/** fuse_out_header: len, error, unique. */
export const OUT_HEADER_BYTES = 16
/** fuse_notify_retrieve_in, behind the header and before the data. */
export const RETRIEVE_IN_BYTES = 40
/** fuse_write_in, behind the header and before the data. */
export const WRITE_IN_BYTES = 40
