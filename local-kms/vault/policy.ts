import { decodeBase64, GoError, textOf } from './go.ts'
import { HclBlock, HclError, type HclValue, parseHcl, plain } from './hcl.ts'

export const CAPABILITIES = ['create', 'delete', 'deny', 'list', 'patch', 'read', 'scan', 'sudo', 'update'] as const
export type Capability = (typeof CAPABILITIES)[number]
export type Parameters = Readonly<Record<string, readonly HclValue[]>>

export interface PathRule {
  /** Without a last `*` where `prefix`. */
  readonly path: string
  readonly prefix: boolean
  /** `+` stands for a segment. */
  readonly segments: boolean
  readonly capabilities: readonly Capability[]
  readonly allowed: Parameters | undefined
  readonly denied: Parameters | undefined
  readonly required: readonly string[]
}

/** A policy's text is wrong; the message is what follows `failed to parse policy: `. */
export class PolicyError extends Error {}

const OLD_WORDS: Record<string, readonly Capability[]> = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'patch', 'delete', 'list', 'scan'],
  sudo: ['create', 'read', 'update', 'patch', 'delete', 'list', 'scan', 'sudo'],
}
const KEYS = [
  'policy',
  'capabilities',
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
  'pagination_limit',
  'comment',
]

const parsed = new Map<string, readonly PathRule[]>()

/** @throws PolicyError */
export function parsePolicy(text: string): readonly PathRule[] {
  const known = parsed.get(text)
  if (known !== undefined) return known
  const rules = readRules(text)
  if (parsed.size > 1000) parsed.clear()
  parsed.set(text, rules)
  return rules
}

function readRules(text: string): readonly PathRule[] {
  let document: HclBlock
  try {
    document = parseHcl(text)
  } catch (problem) {
    if (problem instanceof HclError) throw new PolicyError(problem.message)
    throw problem
  }
  const rules: PathRule[] = []
  for (const { keys, value, line } of document.items) {
    if (keys[0] === 'name') continue
    if (keys[0] !== 'path') {
      // The server counts the line of a block it does not know from nought
      throw new PolicyError(`1 error occurred:\n\t* invalid key ${JSON.stringify(keys[0])} on line ${line - 1}\n\n`)
    }
    if (!(value instanceof HclBlock)) throw new PolicyError('path must be a block')
    // Without a label the word itself is taken for the path; labels after the first are not looked at
    rules.push(readRule(keys[1] ?? 'path', value))
  }
  return rules
}

function readRule(label: string, block: HclBlock): PathRule {
  const where = `path ${JSON.stringify(label)}: `
  const unknown = block.items.find(item => !KEYS.includes(item.keys[0]!))
  if (unknown !== undefined) {
    const key = JSON.stringify(unknown.keys[0])
    throw new PolicyError(`${where}1 error occurred:\n\t* invalid key ${key} on line ${unknown.line}\n\n`)
  }
  const listed = block.items.find(item => item.keys[0] === 'capabilities')
  if (listed !== undefined && !Array.isArray(listed.value) && !(listed.value instanceof HclBlock)) {
    throw new PolicyError(`${where}${where}At ${listed.line}:${listed.column}: unknown slice type: *ast.LiteralType`)
  }
  const members = plain(block)
  const path = label.startsWith('/') ? label.slice(1) : label
  if (path.includes('+*')) throw new PolicyError(`${where}${where}invalid use of wildcards ('+*' is forbidden)`)
  const prefix = path.endsWith('*')
  return {
    path: prefix ? path.slice(0, -1) : path,
    prefix,
    segments: path.includes('/+') || path.startsWith('+/'),
    capabilities: readCapabilities(members['capabilities'], members['policy'], where),
    allowed: readParameters(members['allowed_parameters']),
    denied: readParameters(members['denied_parameters']),
    required: asList(members['required_parameters']).map(name => textOf(name).toLowerCase()),
  }
}

function readCapabilities(listed: HclValue | undefined, old: HclValue | undefined, where: string): Capability[] {
  if (typeof old === 'string' && !Object.hasOwn(OLD_WORDS, old)) {
    throw new PolicyError(`${where}${where}invalid policy ${JSON.stringify(old)}`)
  }
  const words = [...asList(listed), ...(typeof old === 'string' ? OLD_WORDS[old]! : [])].map(String)
  const wrong = words.find(word => !(CAPABILITIES as readonly string[]).includes(word))
  if (wrong !== undefined) throw new PolicyError(`${where}${where}invalid capability ${JSON.stringify(wrong)}`)
  return words.includes('deny') ? ['deny'] : (words as Capability[])
}

const asList = (value: HclValue | undefined): readonly HclValue[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value]

function readParameters(value: HclValue | undefined): Parameters | undefined {
  if (typeof value !== 'object' || Array.isArray(value)) return undefined
  return Object.fromEntries(Object.entries(value).map(([name, list]) => [name.toLowerCase(), asList(list)]))
}

/** Policies may come as base64 of their text. */
export function policyText(given: string): string {
  try {
    const bytes = decodeBase64(given)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (problem) {
    if (problem instanceof GoError || problem instanceof TypeError) return given
    throw problem
  }
}
