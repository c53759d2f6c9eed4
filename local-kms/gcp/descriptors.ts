/**
 * The service's published definitions, read as data: field names and numbers, enums, methods and their HTTP paths come from
 * the descriptors that the vendor's own client ships. How they are written on the wire (proto.ts, json.ts) is ours.
 */
import { SUPPLEMENT } from './supplement.ts'

/** One entry of a descriptor file in protobuf.js' JSON form. */
export interface DescriptorNode {
  nested?: Record<string, DescriptorNode>
  fields?: Record<string, { type: string; id: number; rule?: string; keyType?: string }>
  oneofs?: Record<string, { oneof: string[] }>
  values?: Record<string, number>
  methods?: Record<string, DescriptorNode>
  requestType?: string
  responseType?: string
  parsedOptions?: readonly Record<string, unknown>[]
}

export type Scalar = 'string' | 'bytes' | 'bool' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'double' | 'float'
export interface EnumType {
  readonly name: string
  readonly numbers: ReadonlyMap<string, number>
  readonly names: ReadonlyMap<number, string>
}
export interface Field {
  /** lowerCamelCase, as in JSON and in our own objects. */
  readonly name: string
  readonly id: number
  readonly repeated: boolean
  /** A map with text keys; the rest of the field describes its values. */
  readonly map: boolean
  readonly scalar: Scalar | undefined
  readonly enumType: EnumType | undefined
  /** Looked up when asked for: messages may contain each other. */
  readonly message: (() => MessageType) | undefined
  /** Members of the same oneof exclude each other. */
  readonly oneof: string | undefined
}
export interface MessageType {
  readonly name: string
  readonly fields: readonly Field[]
  readonly byName: ReadonlyMap<string, Field>
  readonly byId: ReadonlyMap<number, Field>
}
export interface HttpBinding {
  readonly verb: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  readonly template: string
  /** `*`: the whole request; a field's name (lowerCamelCase); undefined: no body. */
  readonly body: string | undefined
}
export interface Method {
  readonly service: string
  readonly name: string
  /** `/google.cloud.kms.v1.KeyManagementService/Encrypt` */
  readonly path: string
  readonly request: MessageType
  readonly response: MessageType
  readonly http: readonly HttpBinding[]
}
export interface Schema {
  readonly methods: readonly Method[]
  message(name: string): MessageType
  enumeration(name: string): EnumType
}

const SCALARS: readonly string[] = ['string', 'bytes', 'bool', 'int32', 'uint32', 'int64', 'uint64', 'double', 'float']
const SERVICES = [
  'google.cloud.kms.v1.KeyManagementService',
  'google.cloud.kms.v1.EkmService',
  'google.cloud.kms.v1.Autokey',
  'google.cloud.kms.v1.AutokeyAdmin',
  'google.iam.v1.IAMPolicy',
  'google.cloud.location.Locations',
]

export const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
export const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

let loaded: Promise<Schema> | undefined

/** Read once, when the first call needs it. */
export function loadSchema(): Promise<Schema> {
  loaded ??= import('@google-cloud/kms/build/protos/protos.json', { with: { type: 'json' } }).then(
    module => createSchema(module.default as unknown as DescriptorNode),
    (problem: unknown) => {
      loaded = undefined
      throw problem
    },
  )
  return loaded
}

function createSchema(root: DescriptorNode): Schema {
  const messages = new Map<string, MessageType>()
  const enums = new Map<string, EnumType>()

  function node(path: string): DescriptorNode | undefined {
    const dot = path.lastIndexOf('.')
    const extra = SUPPLEMENT[path] ?? supplemented(path)
    if (extra !== undefined) return extra
    let at: DescriptorNode | undefined = root
    for (const part of dot < 0 ? [path] : path.split('.')) at = at?.nested?.[part]
    return at
  }

  /** Innermost scope first, as protobuf looks names up. */
  function resolve(type: string, scope: string): string {
    for (let at = scope; ; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
      const name = at === '' ? type : `${at}.${type}`
      const found = node(name)
      if (found?.fields !== undefined || found?.values !== undefined) return name
      if (at === '') throw new TypeError(`No type ${type} in ${scope}`)
    }
  }

  function enumeration(name: string): EnumType {
    const known = enums.get(name)
    if (known !== undefined) return known
    const values = Object.entries(node(name)?.values ?? {})
    const made = { name, numbers: new Map(values), names: new Map(values.map(([text, number]) => [number, text])) }
    enums.set(name, made)
    return made
  }

  function message(name: string): MessageType {
    const known = messages.get(name)
    if (known !== undefined) return known
    const at = node(name)
    if (at?.fields === undefined) throw new TypeError(`No message ${name}`)
    const oneofs = Object.entries(at.oneofs ?? {}).filter(([oneof]) => !oneof.startsWith('_'))
    const fields = Object.entries(at.fields).map(([field, facts]): Field => {
      const scalar = SCALARS.includes(facts.type) ? (facts.type as Scalar) : undefined
      const type = scalar === undefined ? resolve(facts.type, name) : undefined
      const isEnum = type !== undefined && node(type)?.values !== undefined
      return {
        name: field,
        id: facts.id,
        repeated: facts.rule === 'repeated',
        map: facts.keyType !== undefined,
        scalar,
        enumType: isEnum ? enumeration(type) : undefined,
        message: type === undefined || isEnum ? undefined : () => message(type),
        oneof: oneofs.find(([, { oneof }]) => oneof.includes(field))?.[0],
      }
    })
    const made = {
      name,
      fields,
      byName: new Map(fields.map(field => [field.name, field])),
      byId: new Map(fields.map(field => [field.id, field])),
    }
    messages.set(name, made)
    return made
  }

  const methods = SERVICES.flatMap(service =>
    Object.entries(node(service)?.methods ?? {}).map(
      ([name, facts]): Method => ({
        service,
        name,
        path: `/${service}/${name}`,
        request: message(resolve(facts.requestType!, service)),
        response: message(resolve(facts.responseType!, service)),
        http: bindings(facts),
      }),
    ),
  )
  return { methods, message, enumeration }
}

function supplemented(path: string): DescriptorNode | undefined {
  for (const [name, content] of Object.entries(SUPPLEMENT)) {
    if (!path.startsWith(`${name}.`)) continue
    let at: DescriptorNode | undefined = content
    for (const part of path.slice(name.length + 1).split('.')) at = at?.nested?.[part]
    if (at !== undefined) return at
  }
  return undefined
}

function bindings(facts: DescriptorNode): HttpBinding[] {
  const rule = facts.parsedOptions?.find(option => option['(google.api.http)'] !== undefined)?.['(google.api.http)']
  return rule === undefined ? [] : readRule(rule as Record<string, unknown>)
}

function readRule(rule: Record<string, unknown>): HttpBinding[] {
  const more = rule['additional_bindings']
  const rules = more === undefined ? [] : ((Array.isArray(more) ? more : [more]) as Record<string, unknown>[])
  const body = typeof rule['body'] === 'string' ? camel(rule['body']) : undefined
  const own = (['get', 'post', 'patch', 'put', 'delete'] as const).flatMap(verb => {
    const template = rule[verb]
    return typeof template === 'string' ? [{ verb: verb.toUpperCase() as HttpBinding['verb'], template, body }] : []
  })
  return [...own, ...rules.flatMap(readRule)]
}
