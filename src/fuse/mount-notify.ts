import type { Log } from '../backend/log.js'
import { sendUnixDatagram } from '../system/unix-datagram.js'

/** Tells the service manager how the mount is doing, where there is one that listens (sd_notify(3)). */
export function notifyServiceManager(socket: string | undefined, state: 'READY=1' | 'STOPPING=1', log: Log): void {
  if (socket === undefined) return
  try {
    sendUnixDatagram(socket, Buffer.from(state))
  } catch (error) {
    log.warn('the service manager could not be told', { socket, state, error })
  }
}
