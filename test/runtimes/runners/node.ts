/** Node 22: runs this file as it is, types stripped. */
import { wasmFromBytes } from '../../../src/runtime/node.ts'
import { runSuite } from '../suite.ts'

console.log(JSON.stringify({ runtime: `node ${process.versions.node}`, ...(await runSuite({ wasmFromBytes })) }))
