import type { CommandRow } from './command.js'

/** The commands for what others may see. */
export const SHARING_COMMANDS: readonly CommandRow[] = [
  {
    name: 'make-public',
    usage: 'KEY...',
    summary: 'let everybody read objects, and say their URLs',
    group: 'Sharing',
    load: async () => (await import('./make-public.js')).makePublic,
  },
  {
    name: 'make-private',
    usage: 'KEY...',
    summary: 'let nobody read objects without credentials',
    group: 'Sharing',
    load: async () => (await import('./make-private.js')).makePrivate,
  },
  {
    name: 'public-url-folder',
    usage: '[PREFIX]',
    summary: 'say what stands before the keys in public URLs',
    group: 'Sharing',
    load: async () => (await import('./public-url-folder.js')).publicUrlFolder,
  },
  {
    name: 'presign',
    usage: 'get|put|head|delete KEY',
    summary: 'say a URL that permits one thing for a while',
    group: 'Sharing',
    load: async () => (await import('./presign.js')).presign,
  },
  {
    name: 'form-post',
    usage: 'KEY',
    summary: 'say a form with which others upload a file',
    group: 'Sharing',
    load: async () => (await import('./form-post.js')).formPost,
  },
  {
    name: 'acl',
    usage: 'get|set [ACL] [KEY]',
    summary: 'say or change who may do what with an object or the bucket',
    group: 'Sharing',
    load: async () => (await import('./acl.js')).acl,
  },
  {
    name: 'cdn',
    usage: 'enable|disable|url',
    summary: 'keep where the CDN before the bucket is, and say URLs there',
    group: 'Sharing',
    load: async () => (await import('./cdn.js')).cdn,
  },
  {
    name: 'serve',
    usage: '',
    summary: 'serve the objects of a folder by HTTP',
    group: 'Sharing',
    load: async () => (await import('./serve.js')).serve,
  },
]
