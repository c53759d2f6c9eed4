import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { seedDocument as awsDocument } from './aws/seed.ts'
import type { FaceName } from './core/face-name.ts'
import type { GcpSeedDocument } from './gcp/seed.ts'
import type { VaultSeed } from './vault/seed.ts'

/** One document that says what there is from the start. Keys of AWS stand on top; see seed.example.json. */
const seedDocument = awsDocument.extend({ vault: z.unknown().optional(), gcp: z.unknown().optional() })
interface Sections {
  readonly vault?: VaultSeed | undefined
  readonly gcp?: GcpSeedDocument | undefined
}
export type SeedDocument = Omit<z.input<typeof seedDocument>, keyof Sections> & Sections
export type ReadSeed = Omit<z.output<typeof seedDocument>, keyof Sections> & Sections

/** The schema of a face's own part. */
export type SectionSchema = (face: 'vault' | 'gcp') => Promise<z.ZodType>

/**
 * The part of a face that is not started is passed over.
 * @throws RangeError that names every field in question, over all parts.
 */
export async function parseSeed(
  value: unknown,
  faces: readonly FaceName[],
  schemaOf: SectionSchema,
): Promise<ReadSeed> {
  const document = seedDocument.safeParse(value)
  const problems = document.success ? [] : document.error.issues.map(issue => describe(issue))
  const sections: Record<string, unknown> = {}
  for (const face of ['vault', 'gcp'] as const) {
    const given = member(value, face)
    if (given === undefined || !faces.includes(face)) continue
    const section = (await schemaOf(face)).safeParse(given)
    if (section.success)
      sections[face] = given // as it was written: the face reads it itself
    else problems.push(...section.error.issues.map(issue => describe(issue, face)))
  }
  if (!document.success || problems.length > 0) {
    throw new RangeError(`Cannot use the seed document: ${problems.join('; ')}`)
  }
  const { vault: _, gcp: __, ...aws } = document.data
  return { ...aws, ...sections }
}

const describe = (issue: z.core.$ZodIssue, ...before: string[]): string =>
  `${[...before, ...issue.path].join('.') || '(document)'}: ${issue.message}`

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

/** @throws RangeError when there is no such file or it holds no JSON. */
export function readSeedFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new RangeError(`Cannot read the seed file ${path}: it must be there and hold JSON`, { cause })
  }
}
