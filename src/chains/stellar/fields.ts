import { refuse } from '../refusal.ts'

/** The fields of a payload, which may be these and no others. @throws `payload/invalid` naming the first other one */
export function fieldsOf(
  payload: Readonly<Record<string, unknown>>,
  type: string,
  names: readonly string[],
): Partial<Record<string, unknown>> {
  for (const name of Object.keys(payload)) {
    if (name !== 'type' && !names.includes(name)) throw refuse(name.slice(0, 64), `is not a field of a ${type}`)
  }
  return payload
}

/** The one field of several that is there. @throws `payload/invalid` when it is none or more than one */
export function oneOf<N extends string>(fields: Partial<Record<string, unknown>>, names: readonly N[]): N {
  const [found, ...others] = names.filter(name => fields[name] !== undefined)
  if (found === undefined || others.length > 0) throw refuse(names.join(', '), `must be one of them, and only one`)
  return found
}

export function textOf(fields: Partial<Record<string, unknown>>, name: string, what: string): string {
  const text = fields[name]
  if (typeof text !== 'string' || text.length === 0) throw refuse(name, `must be ${what}`)
  return text
}
