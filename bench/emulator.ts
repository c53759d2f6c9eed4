/** The process of the emulator: says where its faces are, and ends when its input does, also when the bench was killed. */
import { startLocalKms } from '../local-kms/index.ts'
import { openRuntime } from '../src/runtime/index.ts'
import { BENCH_SEED } from './rig/emulator.ts'

const runtime = await openRuntime()
const { aws, vault, vaultToken, gcpRest, gcpGrpc, close } = await startLocalKms({ seed: BENCH_SEED })
await runtime.write('stdout', `${JSON.stringify({ aws, vault, vaultToken, gcpRest, gcpGrpc })}\n`)
for await (const _ of process.stdin);
await close()
runtime.exit(0)
