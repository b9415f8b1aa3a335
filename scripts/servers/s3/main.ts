import { parseArgs } from 'node:util'
import { TLS_CERTIFICATE, TLS_KEY } from '../tls-certificate.js'
import { startS3Server } from './s3-server.js'

/** Starts the in-memory S3, prints its URL and serves until SIGTERM or SIGINT. */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    key: { type: 'string', default: 'test:testsecret' },
    'read-only-key': { type: 'string' },
    bucket: { type: 'string', multiple: true, default: [] },
    region: { type: 'string' },
    anonymous: { type: 'boolean', default: false },
    // A second URL is printed, for HTTPS with the certificate of tls-certificate.ts.
    secure: { type: 'boolean', default: false },
    // Ends when standard input does, and so with whoever started it.
    'with-parent': { type: 'boolean', default: false },
  },
})

function keyOf(text: string, readOnly: boolean) {
  const [accessKeyId = '', secretAccessKey = ''] = text.split(':')
  return { accessKeyId, secretAccessKey, readOnly }
}

const readOnlyKey = values['read-only-key']
const server = await startS3Server({
  port: Number(values.port),
  keys: [keyOf(values.key, false), ...(readOnlyKey === undefined ? [] : [keyOf(readOnlyKey, true)])],
  buckets: values.bucket,
  anonymous: values.anonymous,
  ...(values.secure && { tls: { cert: TLS_CERTIFICATE, key: TLS_KEY } }),
  ...(values.region === undefined ? {} : { region: values.region }),
})
console.log(server.url)
if (server.secureUrl !== undefined) console.log(server.secureUrl)

async function end(): Promise<void> {
  await server.close()
  process.exit()
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end())
if (values['with-parent']) process.stdin.resume().once('close', () => void end())
