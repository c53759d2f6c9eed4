import { z } from 'zod'
import { FAMILIAR } from './familiar.ts'
import { documentSchema, FIELDS } from './fields.ts'
import { variableOf } from './layers.ts'
import { PROVIDERS } from '../../providers/configs.ts'

/** One line of the table of settings. */
export interface Setting {
  readonly name: string
  readonly meaning: string
  /** `''` for what has none. */
  readonly unit: string
  /** As it would stand in the file; `''` when there is none. */
  readonly default: string
  readonly required: boolean
  readonly secret: boolean
  readonly variable: string
  /** Other variables that fill it when it is left open. */
  readonly familiar: readonly string[]
  /** Kind of provider it belongs to. */
  readonly kind?: string
}

/** Every setting: for the documentation and for `config check`. */
export function configTable(): readonly Setting[] {
  return FIELDS.map(field => {
    const { path, secret, required, unit = '', kind } = field
    const member = path.slice(path.lastIndexOf('.') + 1)
    const isOfProvider = path.startsWith('providers.')
    const familiar = FAMILIAR.filter(
      known => known.path === path && (kind === undefined || known.kind === undefined || known.kind === kind),
    )
    return {
      name: path,
      meaning: (isOfProvider ? meaningOf(kind, member) : field.meaning) ?? '',
      unit,
      default: field.default === undefined ? '' : JSON.stringify(field.default),
      required,
      secret,
      variable: variableOf(path),
      familiar: familiar.map(({ variable }) => variable),
      ...(kind === undefined ? {} : { kind }),
    }
  })
}

/** Fields that all kinds share are described once, without a kind. */
const meaningOf = (kind: string | undefined, member: string): string | undefined =>
  PROVIDERS.map(row => (kind === undefined || row.kind === kind ? row.meanings[member] : undefined)).find(
    meaning => meaning !== undefined,
  )

/** JSON Schema (draft 2020-12) of the file, for editors: `#:schema countersign.schema.json` as its first line. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(documentSchema, { target: 'draft-2020-12', io: 'input' })
  return { title: 'Countersign configuration', ...schema }
}
