/** Deno: runs this file as it is. */
import { wasmFromBytes, world } from '../../../src/runtime/deno.ts'
import { report } from './machine.ts'

await report(`deno ${process.versions['deno']}`, { wasmFromBytes, world })
