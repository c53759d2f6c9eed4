/** Node 22: runs this file as it is, types stripped. */
import { wasmFromBytes, world } from '../../../src/runtime/node.ts'
import { report } from './machine.ts'

await report(`node ${process.versions.node}`, { wasmFromBytes, world })
