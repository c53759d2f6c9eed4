/** The sources as a graph, read by a real parser: what each file imports, statically, lazily and as a type, and which names it uses. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'oxc-parser'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

export interface Import {
  /** As written. */
  readonly specifier: string
  /** Relative to the root for our own files; absent for packages. */
  readonly file?: string
  readonly kind: 'static' | 'dynamic' | 'type'
  /** Names taken, `*` for all of them. */
  readonly names: readonly string[]
}

export interface Module {
  readonly file: string
  readonly imports: readonly Import[]
  /** Free-standing identifiers, and `a.b` for every member access on one of them. */
  readonly names: ReadonlySet<string>
  readonly lines: number
}

interface Node {
  readonly type: string
  readonly [field: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'

function* walk(node: Node): Generator<Node> {
  yield node
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* walk(child)
  }
}

const text = (node: unknown): string | undefined =>
  isNode(node) && node.type === 'Literal' && typeof node['value'] === 'string' ? node['value'] : undefined
const identifier = (node: unknown): string | undefined =>
  isNode(node) && node.type === 'Identifier' ? (node['name'] as string) : undefined

export function readModule(file: string, source = readFileSync(join(ROOT, file), 'utf8')): Module {
  const { program, errors } = parseSync(file, source)
  const [error] = errors
  if (error !== undefined) throw new Error(`Cannot parse ${file}: ${error.message}`)
  const imports: Import[] = []
  const names = new Set<string>()
  const add = (specifier: string | undefined, kind: Import['kind'], taken: readonly string[]) => {
    const wanted = specifier ?? '(computed)'
    const own = wanted.startsWith('.') ? { file: join(dirname(file), wanted) } : {}
    imports.push({ specifier: wanted, kind, names: taken, ...own })
  }
  for (const node of walk(program as unknown as Node)) {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration': {
        if (!isNode(node['source'])) break
        const specifiers = (node['specifiers'] ?? []) as Node[]
        const isType = (of: Node) => of['importKind'] === 'type' || of['exportKind'] === 'type'
        const values = specifiers.filter(of => !isType(of))
        const onlyTypes = isType(node) || (specifiers.length > 0 && values.length === 0)
        const taken = specifiers.map(of => identifier(of['imported'] ?? of['local']) ?? '*')
        add(text(node['source']), onlyTypes ? 'type' : 'static', taken.length === 0 ? ['*'] : taken)
        break
      }
      case 'ImportExpression':
        add(text(node['source']), 'dynamic', ['*'])
        break
      case 'TSImportType':
        add(text(node['source'] ?? node['argument']), 'type', ['*'])
        break
      case 'Identifier':
        names.add(node['name'] as string)
        break
      case 'MetaProperty':
        names.add('import.meta')
        break
      case 'MemberExpression': {
        const object = node['object']
        const owner = isNode(object) && object.type === 'MetaProperty' ? 'import.meta' : identifier(object)
        const property = identifier(node['property']) ?? text(node['property'])
        if (owner !== undefined && property !== undefined) names.add(`${owner}.${property}`)
        if (isNode(object) && object.type === 'MemberExpression') {
          names.add(`${identifier(object['property']) ?? text(object['property'])}.${property}`)
        }
        break
      }
    }
  }
  return { file, imports, names, lines: source.split('\n').length - 1 }
}

export const sources = (folder: string): string[] =>
  !existsSync(join(ROOT, folder))
    ? []
    : readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
        .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
        .map(entry => relative(ROOT, join(entry.parentPath, entry.name)))
        .toSorted()

export const modules = (...folders: readonly string[]): Module[] =>
  folders.flatMap(sources).map(file => readModule(file))

/** Everything that loading `entry` can load, by the kinds of import that are followed. @returns files and package names. */
export function reach(entry: string, kinds: readonly Import['kind'][]): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string) => {
    if (files.has(file)) return
    files.add(file)
    for (const each of readModule(file).imports.filter(one => kinds.includes(one.kind))) {
      if (each.file !== undefined) visit(each.file)
      else packages.add(packageOf(each.specifier))
    }
  }
  visit(entry)
  return { files, packages }
}

export const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
