import type { ContractValue } from '../../domain/stellar.ts'
import { quoted } from './values.ts'

/** For humans, who do not read far; a policy judges all of it, and the JSON holds all of it. What is left out is counted. */
const CALL_CHARS_MAX = 600
const ITEMS_SHOWN = 8
const LEVELS_SHOWN = 3
const BYTES_SHOWN = 64

/** `with 2 arguments (G…, 5)`. */
export function argumentsText(values: readonly ContractValue[]): string {
  const count = `with ${values.length} argument${values.length === 1 ? '' : 's'}`
  if (values.length === 0) return count
  const text = listText(values, 1)
  const hidden = text.length - CALL_CHARS_MAX
  return hidden > 0
    ? `${count} (${text.slice(0, CALL_CHARS_MAX)}... and ${hidden} more characters)`
    : `${count} (${text})`
}

function valueText(value: ContractValue, level: number): string {
  switch (value.kind) {
    case 'void':
      return 'nothing'
    case 'bool':
    case 'integer':
      return String(value.value)
    case 'symbol':
      return `symbol ${quoted(value.text)}`
    case 'string':
      return quoted(value.text)
    case 'bytes': {
      const bytes = value.hex.length / 2
      return bytes > BYTES_SHOWN
        ? `hex ${value.hex.slice(0, 2 * BYTES_SHOWN)}... and ${bytes - BYTES_SHOWN} more bytes`
        : `hex ${value.hex === '' ? '(empty)' : value.hex}`
    }
    case 'address':
      return value.muxedId === null ? value.address : `${value.address} (muxed id ${value.muxedId})`
    case 'vec':
      return level > LEVELS_SHOWN ? `[${value.items.length} values]` : `[${listText(value.items, level + 1)}]`
    case 'map': {
      if (level > LEVELS_SHOWN) return `{${value.entries.length} entries}`
      const shown = value.entries
        .slice(0, ITEMS_SHOWN)
        .map(entry => `${valueText(entry.key, level + 1)}: ${valueText(entry.value, level + 1)}`)
      return `{${withRest(shown, value.entries.length)}}`
    }
    case 'error':
      return `error ${value.name}`
    case 'unknown':
      return `SOMETHING THIS SIGNER DOES NOT KNOW (${value.name})`
  }
}

const listText = (values: readonly ContractValue[], level: number): string =>
  withRest(
    values.slice(0, ITEMS_SHOWN).map(value => valueText(value, level)),
    values.length,
  )

const withRest = (shown: readonly string[], count: number): string =>
  shown.join(', ') + (count > shown.length ? ` and ${count - shown.length} more` : '')
