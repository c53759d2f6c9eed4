/** Published vectors that stand beside the checkout, not in it. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface WycheproofFile<Group> {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}

/** @param file path below `vectors/` @returns the parsed file in the shape its origin gave it, or why the test that wants it must skip */
export function sharedVectors(file: string): { readonly data?: unknown; readonly skip: false | string } {
  const path = fileURLToPath(new URL(`../../../shared/vectors/${file}`, import.meta.url))
  if (!existsSync(path)) return { skip: `the published vectors ${file} are not beside this checkout` }
  return { data: JSON.parse(readFileSync(path, 'utf8')) as unknown, skip: false }
}
