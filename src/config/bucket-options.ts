import { OPTION_NAMES, OPTIONS, type OptionName } from './option-table.js'

/** Beside those of the group Store. */
const OTHERS = [
  'requests',
  'timeout',
  'attempts',
  'partSize',
  'uploadConcurrency',
  'logLevel',
  'stateDir',
  'use',
  'config',
  'insecureConfig',
] as const satisfies readonly OptionName[]

/** The options that mean something where a store is reached without a mount. All others are accepted in files and passed over. */
export const BUCKET_OPTION_NAMES: readonly OptionName[] = [
  ...OPTION_NAMES.filter(name => OPTIONS[name].group === 'Store'),
  ...OTHERS,
]
