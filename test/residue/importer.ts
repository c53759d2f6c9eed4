/**
 * The process that is searched when a key is imported: it reads a seed from a file as the command does, wipes the file's bytes,
 * hands the seed to the administration of the real provider, wipes it, and waits to be looked at.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { openAdmin } from '../../providers/admin.ts'
import { fromHex } from '../../src/bytes/hex.ts'
import { secretRoom } from '../../src/bytes/secret-room.ts'
import { seedOfFile } from '../../src/compose/custody.ts'
import { Secret } from '../../src/domain/secret.ts'
import { realWorld } from '../../src/runtime/world.ts'

export interface ImportOrder {
  readonly address: string
  readonly token: string
  readonly seedFile: string
  readonly publicKey: string
}

const order = JSON.parse(process.argv[2] ?? '{}') as ImportOrder
const { address, seedFile } = order
const token = new Secret(order.token, 'token')
const world = { ...realWorld(), environment: 'development' as const }
const admin = await openAdmin({ kind: 'vault-transit', address, token }, world)
const publicKey = fromHex(order.publicKey) ?? new Uint8Array()

function readSeed(): Uint8Array {
  const file = secretRoom(32)
  const handle = openSync(seedFile, 'r')
  readSync(handle, file)
  closeSync(handle)
  return file
}

const kept: unknown[] = []
async function bring(forgetful: boolean): Promise<void> {
  const key = seedOfFile(readSeed(), 'seed')
  try {
    const call = { requestId: 'req', signal: new AbortController().signal }
    await admin.importKey({ scheme: 'ed25519', label: 'residue', key, publicKey }, call)
  } finally {
    if (forgetful) kept.push(key)
    else key.wipe()
  }
}

/** Blocks, so that the process stands still while it is searched. @returns 0 when the parent closed the pipe. */
function nextCount(): number {
  const line = new Uint8Array(16)
  for (;;) {
    try {
      return Number(new TextDecoder().decode(line.subarray(0, readSync(0, line))))
    } catch (error) {
      // The parent's end may have made the pipe one that does not block.
      if ((error as { code?: string }).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
  }
}

for (let count = nextCount(); count > 0; count = nextCount()) {
  // One alone is the control: its seed is not wiped.
  for (let round = 0; round < count; round++) await bring(count === 1)
  process.stdout.write('imported\n')
}
process.exit(kept.length > 99 ? 1 : 0)
