/** The part of HCL that policies are written in, and the same as JSON: blocks with labels, lists, objects, scalars, comments. */
export type HclValue = string | number | boolean | HclValue[] | HclObject
export interface HclObject {
  readonly [key: string]: HclValue
}

/** One `key "label" { … }` or `key = …`. */
export interface HclItem {
  readonly keys: readonly string[]
  readonly value: HclValue | HclBlock
  readonly line: number
  /** Of the value. */
  readonly column: number
}

export class HclBlock {
  readonly items: readonly HclItem[]
  constructor(items: readonly HclItem[]) {
    this.items = items
  }
}

interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'mark' | 'end'
  readonly text: string
  readonly line: number
  readonly column: number
}

export class HclError extends Error {}

/** @throws HclError */
export function parseHcl(text: string): HclBlock {
  if (text.trimStart().startsWith('{')) return fromJson(text)
  const tokens = tokenize(text)
  let at = 0
  const peek = (): Token => tokens[at]!
  const next = (): Token => tokens[at++]!
  const isMark = (mark: string): boolean => peek().kind === 'mark' && peek().text === mark

  function body(closing: string | undefined): HclBlock {
    const items: HclItem[] = []
    for (;;) {
      while (isMark(',')) next()
      if (closing === undefined ? peek().kind === 'end' : isMark(closing)) {
        next()
        return new HclBlock(items)
      }
      items.push(item(closing))
    }
  }

  function item(closing: string | undefined): HclItem {
    const first = peek()
    if (closing !== undefined && first.kind === 'end') {
      throw new HclError(`At ${first.line}:${first.column}: object expected closing RBRACE got: EOF`)
    }
    const keys: string[] = []
    while (peek().kind === 'word' || peek().kind === 'string') keys.push(next().text)
    if (keys.length === 0) throw new HclError(`At ${first.line}:${first.column}: illegal character`)
    if (isMark('{')) {
      next()
      return { keys, value: body('}'), line: first.line, column: first.column }
    }
    if (keys.length === 1 && (isMark('=') || isMark(':'))) {
      next()
      const { column } = peek()
      return { keys, value: value(), line: first.line, column }
    }
    const { line, column } = peek()
    const told = keys.at(-1) ?? ''
    throw new HclError(
      `At ${line}:${column === 0 ? told.length + 2 : column}: key '${keys.join(' ')}' expected start of object ('{') or assignment ('=')`,
    )
  }

  function value(): HclValue | HclBlock {
    const token = next()
    if (token.kind === 'string') return token.text
    if (token.kind === 'number') return Number(token.text)
    if (token.kind === 'word' && (token.text === 'true' || token.text === 'false')) return token.text === 'true'
    if (token.kind === 'mark' && token.text === '{') return body('}')
    if (token.kind === 'mark' && token.text === '[') {
      const list: HclValue[] = []
      for (;;) {
        while (isMark(',')) next()
        if (isMark(']')) {
          next()
          return list
        }
        if (peek().kind === 'mark' && peek().text === '}') {
          const { line, column } = peek()
          throw new HclError(`At ${line}:${column}: error parsing list, expected comma or list end, got: RBRACE`)
        }
        const entry = value()
        list.push(entry instanceof HclBlock ? plain(entry) : entry)
      }
    }
    throw new HclError(`At ${token.line}:${token.column}: Unknown token: ${token.text || 'EOF'}`)
  }
  return body(undefined)
}

/** A block of plain assignments as an object. */
export function plain(block: HclBlock): HclObject {
  return Object.fromEntries(
    block.items.map(({ keys, value }) => [keys.join('.'), value instanceof HclBlock ? plain(value) : value]),
  )
}

function tokenize(text: string): Token[] {
  const out: Token[] = []
  let [at, line, start] = [0, 1, 0]
  const push = (kind: Token['kind'], content: string, from: number): void =>
    void out.push({ kind, text: content, line, column: from - start + 1 })
  while (at < text.length) {
    const char = text[at]!
    if (char === '\n') {
      at++
      line++
      start = at
    } else if (/\s/.test(char)) at++
    else if (char === '#' || text.startsWith('//', at)) {
      while (at < text.length && text[at] !== '\n') at++
    } else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at)
      if (end < 0) throw new HclError(`At ${line}:${at - start + 1}: comment not terminated`)
      line += text.slice(at, end).split('\n').length - 1
      at = end + 2
    } else if (char === '"') {
      const end = endOfString(text, at, line, start)
      push('string', unescape(text.slice(at, end)), at)
      at = end
    } else if ('{}[]=,:'.includes(char)) {
      push('mark', char, at++)
    } else {
      let end = at
      while (end < text.length && /[\w.+-]/.test(text[end]!)) end++
      if (end === at) throw new HclError(`At ${line}:${at - start + 1}: illegal character`)
      const word = text.slice(at, end)
      push(/^-?\d+(?:\.\d+)?$/.test(word) ? 'number' : 'word', word, at)
      at = end
    }
  }
  out.push({ kind: 'end', text: '', line, column: at - start + 2 })
  return out
}

function endOfString(text: string, from: number, line: number, start: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
    else if (text[at] === '\n') break
  }
  throw new HclError(`At ${line}:${from - start + 1}: literal not terminated`)
}

function unescape(quoted: string): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted.slice(1, -1)
  }
}

function fromJson(text: string): HclBlock {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw new HclError('error parsing the policy as JSON', { cause })
  }
  const items: HclItem[] = []
  for (const [key, content] of Object.entries(document as Record<string, unknown>)) {
    for (const group of Array.isArray(content) ? content : [content]) {
      if (typeof group !== 'object' || group === null) {
        items.push({ keys: [key], value: group as HclValue, line: 0, column: 0 })
        continue
      }
      for (const [label, inside] of Object.entries(group as Record<string, unknown>)) {
        for (const one of Array.isArray(inside) ? inside : [inside]) {
          items.push({ keys: [key, label], value: jsonBlock(one as Record<string, unknown>), line: 0, column: 0 })
        }
      }
    }
  }
  return new HclBlock(items)
}

function jsonBlock(object: Record<string, unknown>): HclBlock {
  return new HclBlock(
    Object.entries(object ?? {}).map(([key, value]) => ({
      keys: [key],
      value:
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? jsonBlock(value as Record<string, unknown>)
          : (value as HclValue),
      line: 0,
      column: 0,
    })),
  )
}
