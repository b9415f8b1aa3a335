import type { Transport, TransportOptions } from './transport.js'

export type TransportKind = 'kernel' | 'fuse-native'

/** Loads the code of one transport only. */
export async function createTransport(kind: TransportKind, options: TransportOptions): Promise<Transport> {
  if (kind === 'fuse-native') {
    const { FuseNativeTransport } = await import('./fuse-native/fuse-native-transport.js')
    return new FuseNativeTransport(options)
  }
  const { KernelTransport } = await import('./kernel/kernel-transport.js')
  return new KernelTransport(options)
}
