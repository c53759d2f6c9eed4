/**
 * Keys of this program itself. Of the control plane: one that signs sessions and service tokens, one that signs login
 * challenges. Of the data plane: one that signs what it publishes about its keys. None of them is anybody's money.
 */
import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StrKey } from '@stellar/stellar-sdk/base'
import { toBase64Url } from '../bytes/base64.ts'
import { sha256 } from '../bytes/sha256.ts'
import { SignerError } from '../domain/errors.ts'
import type { Random } from '../domain/ports.ts'
import { Secret, SecretBytes } from '../domain/secret.ts'
import { publicKeyOf } from './custody.ts'
import { issuerKeyPath, loginKeyPath, metadataKeyPath } from './places.ts'
import type { Environment } from './room.ts'

export interface OwnKeySettings {
  readonly environment: Environment
  readonly dataDirectory: string
  /** What the configuration names. */
  readonly key?: Secret
}

/**
 * The private JWK (Ed25519) that signs sessions and service tokens. In development, where none is configured, one is made at
 * the first start and kept; elsewhere a key that appears by itself would be a key nobody guards.
 * @throws `start/refused`
 */
export const openIssuerKey = (settings: OwnKeySettings, random: Random): Promise<Secret> =>
  openKey(settings, { setting: 'issuer.key', path: issuerKeyPath(settings.dataDirectory) }, () => newJwk(random))

/**
 * The private JWK (Ed25519) that signs the document of keys. Made at the first start wherever none is configured: verifiers
 * pin it, so one that appears by itself is trusted by nobody until an operator has told them.
 * @throws `start/refused`
 */
export async function openMetadataSecret(
  settings: Omit<OwnKeySettings, 'environment'>,
  random: Random,
): Promise<Secret> {
  const { dataDirectory, key } = settings
  return key ?? keptKey(metadataKeyPath(dataDirectory), () => newJwk(random))
}

async function newJwk(random: Random): Promise<string> {
  const seed = random.bytes(32)
  const d = toBase64Url(seed)
  const publicKey = await publicKeyOf(new SecretBytes(seed, 'new key of this program')).finally(() => seed.fill(0))
  const kid = `made-${toBase64Url(sha256(publicKey)).slice(0, 16)}`
  return JSON.stringify({ kty: 'OKP', crv: 'Ed25519', kid, x: toBase64Url(publicKey), d })
}

/** The seed, in its S… form, that signs the challenges of SEP-10. Made in development, as above. @throws `start/refused` */
export const openLoginKey = (settings: OwnKeySettings, random: Random): Promise<Secret> =>
  openKey(settings, { setting: 'login.serverKey', path: loginKeyPath(settings.dataDirectory) }, async () => {
    const seed = random.bytes(32)
    try {
      return StrKey.encodeEd25519SecretSeed(seed)
    } finally {
      seed.fill(0)
    }
  })

async function openKey(
  { environment, key }: OwnKeySettings,
  { setting, path }: { readonly setting: string; readonly path: string },
  make: () => Promise<string>,
): Promise<Secret> {
  if (key !== undefined) return key
  if (environment !== 'development') throw refused(`${setting} is missing`, `Set ${setting} to "file:/path".`)
  return keptKey(path, make)
}

async function keptKey(path: string, make: () => Promise<string>): Promise<Secret> {
  const kept = await read(path)
  if (kept !== undefined) return new Secret(kept, `file:${path}`)
  const made = await make()
  const text = (await write(path, made)) ? made : await read(path) // another process was first: it is theirs
  if (text === undefined) throw refused(`${path} came and went`, 'Start again.')
  return new Secret(text, `file:${path}`)
}

/** Of the descriptor that is read, so that nobody puts another file in between. No link is followed. */
async function read(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw refused(`${path} cannot be opened (${error.code ?? 'unknown'})`, 'Make it a file of this user, or remove it.')
  })
  if (file === undefined) return undefined
  try {
    const { mode } = await file.stat()
    if ((mode & 0o077) !== 0) throw refused(`others may read ${path}`, `Run chmod 600 ${path}, or remove it.`)
    return (await file.readFile('utf8')).trimEnd()
  } finally {
    await file.close()
  }
}

/** @returns false when there is one by now */
async function write(path: string, text: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined
    throw error
  })
  if (file === undefined) return false
  try {
    await file.writeFile(`${text}\n`)
    await file.sync()
    return true
  } finally {
    await file.close()
  }
}

const refused = (reason: string, fix: string) => new SignerError('start/refused', { reason, fix })
