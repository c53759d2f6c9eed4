/** Bun: runs this file as it is. */
import { wasmFromBytes, world } from '../../../src/runtime/bun.ts'
import { report } from './machine.ts'

await report(`bun ${process.versions.bun}`, { wasmFromBytes, world })
