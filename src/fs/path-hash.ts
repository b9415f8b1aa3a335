/**
 * 48 bits that a text always has, and other texts most likely not: two sums of 32 bits in the manner of FNV-1a with
 * multipliers of their own, mixed at the end as MurmurHash3 mixes. Nobody is kept from making two texts that have the same.
 */
export function hash48(text: string): number {
  let a = 0x811c9dc5
  let b = 0x2545f491
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    a = Math.imul(a ^ unit, 0x85ebca6b)
    b = Math.imul(b ^ unit, 0x9e3779b1)
  }
  const low = mixed(a ^ (b >>> 15))
  const high = mixed(b ^ low)
  return (high & 0xffff) * 0x1_0000_0000 + (low >>> 0)
}

function mixed(bits: number): number {
  const once = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return twice ^ (twice >>> 16)
}
