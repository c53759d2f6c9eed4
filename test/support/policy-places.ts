import assert from 'node:assert/strict'
import { isSignerError } from '../../src/domain/errors.ts'
import { parsePolicy, type Policy } from '../../src/policy/index.ts'
import type { Rng } from '../fuzz/xdr-mutator.ts'

export interface Place {
  readonly holder: Record<string, unknown> | unknown[]
  readonly key: string
}

/** Everything in a document that could be taken away: fields of objects and entries of lists, however deep. */
export function places(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return found
  const holder = value as Record<string, unknown> | unknown[]
  for (const [key, inner] of Object.entries(holder)) {
    found.push({ holder, key })
    places(inner, found)
  }
  return found
}

/** Takes one field, or one entry of a list, out of `document`. @returns false when there is none */
export function takeOne(rng: Rng, document: unknown): boolean {
  const all = places(document)
  const place = all[rng.int(all.length)]
  if (place === undefined) return false
  if (Array.isArray(place.holder)) place.holder.splice(Number(place.key), 1)
  else delete place.holder[place.key]
  return true
}

/** @returns undefined: what is left is no policy */
export function policyOrNone(document: unknown): Policy | undefined {
  try {
    return parsePolicy(document)
  } catch (error) {
    assert.ok(isSignerError(error) && error.code === 'config/invalid')
    return undefined
  }
}
