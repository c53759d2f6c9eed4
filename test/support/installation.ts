/** Installations on the key services of local-kms, as commands find them: configuration, registry, keys. Bun only. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type LocalKms, startLocalKms } from '../../local-kms/index.ts'
import { registerDeps } from '../../src/compose/keys.ts'
import { openRoom, type Room } from '../../src/compose/room.ts'
import { roomSettings } from '../../src/compose/settings.ts'
import { loadConfig } from '../../src/config/load.ts'
import * as bun from '../../src/runtime/bun.ts'
import type { Ended, scratch } from './cli.ts'
import { makeKeyRing, mountTransit, PLACE } from './key-services.ts'

/** All three services, with a key ring and a mounted engine. */
export async function startKeyServices(options: Parameters<typeof startLocalKms>[0] = {}): Promise<LocalKms> {
  const kms = await startLocalKms(options)
  await makeKeyRing(kms.gcpRest, PLACE)
  await mountTransit(kms.vault, kms.vaultToken)
  return kms
}

/** What the providers of `configFile` and `vaultAndGcp` read from the environment. */
export const credentialsFor = ({ vaultToken }: Pick<LocalKms, 'vaultToken'>): Record<string, string> => ({
  TEST_ID: 'test',
  TEST_SECRET: 'test',
  TEST_TOKEN: vaultToken,
})

/** A provider of AWS KMS; its credentials are the environment's `TEST_ID` and `TEST_SECRET`. */
export const awsProvider = (endpoint: string, name = 'aws'): string => `[providers.${name}]
kind = "aws-kms"
region = "us-east-1"
endpoint = "${endpoint}"
accessKeyId = "env:TEST_ID"
secretAccessKey = "env:TEST_SECRET"
`

/** Providers `vault` and `gcp`; the token is the environment's `TEST_TOKEN`. */
export const vaultAndGcp = ({ vault, gcpRest }: Pick<LocalKms, 'vault' | 'gcpRest'>): string => `[providers.vault]
kind = "vault-transit"
address = "${vault}"
token = "env:TEST_TOKEN"
[providers.gcp]
kind = "gcp-kms"
endpoint = "${gcpRest}"
project = "${PLACE.project}"
location = "${PLACE.location}"
keyRing = "${PLACE.keyRing}"
`

export interface ConfigWish {
  /** Of the file, without its extension. `countersign` unless told. */
  readonly name?: string
  /** `staging` unless told. */
  readonly environment?: string
  /** Its folder among the files. `data` unless told. */
  readonly data?: string
  /** More tables. */
  readonly more?: string
}

/** A configuration with the provider `aws`. @returns its path */
export function configFile(
  files: ReturnType<typeof scratch>,
  { aws }: Pick<LocalKms, 'aws'>,
  { name = 'countersign', environment = 'staging', data = 'data', more = '' }: ConfigWish = {},
): string {
  const path = files.path(`${name}.toml`)
  const own = `environment = "${environment}"\n[data]\ndirectory = "${files.path(data)}"\n`
  writeFileSync(path, `${own}${awsProvider(aws)}${more}`)
  return path
}

/** All that a command has printed, and all that is stored in its directory, if it has one, byte by byte. */
export function printedAndStored({ out, err }: Pick<Ended, 'out' | 'err'>, directory?: string): string {
  const stored = (directory === undefined ? [] : readdirSync(directory, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(`${entry.parentPath}/${entry.name}`).toString('latin1'))
  return [out, err, ...stored].join('\n')
}

type Environment = Readonly<Record<string, string>>

/** With the room that a command opens. */
export async function inRoom<T>(file: string, env: Environment, body: (room: Room) => Promise<T>): Promise<T> {
  const readFile = async (path: string) => readFileSync(path, 'utf8')
  const loaded = await loadConfig({ file, flags: {}, env, readFile })
  const room = await openRoom(roomSettings(loaded), bun.world())
  try {
    return await body(room)
  } finally {
    await room.close()
  }
}

/** What `treasury` signs from where it is now, and where that is. */
export const signedFrom = (file: string, env: Environment, message: Uint8Array) =>
  inRoom(file, env, async room => {
    const key = await room.store.keys.resolve('treasury')
    if (key === undefined) throw new Error('no key')
    const row = await room.store.keys.envelope(key.bindings[0]?.id ?? '')
    const { trial } = registerDeps(room, bun.world(), 'staging')
    const { signature } = await trial(key, row, { scheme: 'ed25519', message })
    return { signature: Uint8Array.from(signature), address: key.version.address, bindings: key.bindings }
  })
