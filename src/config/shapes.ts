/** Small shapes that the sections of the configuration share. */
import { z } from 'zod'
import { KEY_NAME } from '../domain/key.ts'

/** A refinement says problem and fix in one text; this stands between them (as in `providers`). */
export const FIX = ' ⇒ '

export const whole = (least: number, most: number) => z.int().min(least).max(most)
export const text = (most: number) => z.string().min(1).max(most)

export const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, `is not a name${FIX}use 1 to 63 of a-z 0-9 -, such as aws-kms`)

export const keyName = z.string().regex(KEY_NAME, `is not a key name${FIX}use 1 to 64 of A-Z a-z 0-9 _ . -`)

/** 127.0.0.0/8, ::1 and localhost: nobody outside this machine can connect. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  const parts = host.split('.')
  return parts.length === 4 && parts[0] === '127' && parts.every(part => /^\d{1,3}$/.test(part) && Number(part) <= 255)
}

/** As `URL` has it, where IPv6 stands in brackets. */
const isLoopbackUrl = (url: URL): boolean => isLoopbackHost(url.hostname.replace('[', '').replace(']', ''))

/** https, or http on this machine, where a test or a neighbour listens. */
export const isSafeOrigin = (url: URL): boolean =>
  url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackUrl(url))

/** What is wrong with a URL that others compare byte by byte; undefined: nothing. */
function baseUrlProblem(value: string): string | undefined {
  if (!URL.canParse(value)) return `is not a URL${FIX}use https://HOST`
  const url = new URL(value)
  if (!isSafeOrigin(url)) return `is not https${FIX}use https://HOST, or http:// on 127.0.0.1`
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return `is more than scheme, host, port and path${FIX}leave out user, query and fragment`
  const canonical = url.href.endsWith('/') ? url.href.slice(0, -1) : url.href
  return value === canonical ? undefined : `is not in its plain spelling${FIX}write ${canonical.slice(0, 200)}`
}

const url = (problemOf: (value: string) => string | undefined) =>
  z
    .string()
    .max(2048)
    .superRefine((value, context) => {
      const message = problemOf(value)
      if (message !== undefined) context.addIssue({ code: 'custom', message })
    })

/** Under which a plane is reached from outside. One spelling, since proofs name it and are compared as text. */
export const baseUrl = url(baseUrlProblem)

function endpointProblem(value: string): string | undefined {
  if (!URL.canParse(value)) return `is not a URL${FIX}use https://HOST/PATH`
  const parsed = new URL(value)
  if (!isSafeOrigin(parsed)) return `is not https${FIX}use https://, or http:// on 127.0.0.1`
  if (parsed.username !== '' || parsed.password !== '' || parsed.hash !== '')
    return `holds a user or a fragment${FIX}use scheme, host, port, path and query only`
  return undefined
}

/** Where somebody else answers us; it may carry a path and, as providers of nodes have it, a key in the query. */
export const endpoint = url(endpointProblem)

/** DNS names in lower case, with a port where it is not the usual one; `localhost` counts. */
export const domain = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*(:[0-9]{1,5})?$/,
    `is not a domain${FIX}use a DNS name in lower case, such as signer.example.com`,
  )
