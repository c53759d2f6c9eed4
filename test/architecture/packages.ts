/** The packages that ship: the production dependencies and all they stand on. */
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ROOT } from './modules.ts'

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: unknown
  readonly licenses?: unknown
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly trustedDependencies?: unknown
  readonly engines?: Readonly<Record<string, string>>
}
export const manifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest

/** Every package that ships, with its folder: found the way a runtime finds it, from the inside out. */
export function production(): Map<string, Manifest> {
  const found = new Map<string, Manifest>()
  const visit = (name: string, from: string): void => {
    let folder = from
    while (!existsSync(join(folder, 'node_modules', name, 'package.json'))) {
      if (folder === ROOT)
        throw new Error(`Cannot find ${name}, which ${relative(ROOT, from) || 'package.json'} depends on`)
      folder = join(folder, '..')
    }
    const home = join(folder, 'node_modules', name)
    if (found.has(home)) return
    const its = manifest(home)
    found.set(home, its)
    for (const next of Object.keys(its.dependencies ?? {})) visit(next, home)
  }
  for (const name of Object.keys(manifest(ROOT).dependencies ?? {})) visit(name, ROOT)
  return found
}
