/**
 * One suite for every runtime (M-14, R-36): the portable core on fixed inputs, with a clock that stands still and randomness
 * from a seed.
 * Web APIs only: this file and all it imports is also bundled for the edge.
 */
import type { EngineCapability } from '../../src/custody/index.ts'
import { auditCases } from './cases/audit.ts'
import { bytesCases } from './cases/bytes.ts'
import { evmCases } from './cases/evm.ts'
import { mockCases } from './cases/mock.ts'
import { passphraseCases } from './cases/passphrase.ts'
import { signCases } from './cases/sign.ts'
import { stellarCases } from './cases/stellar.ts'
import { storeCases } from './cases/store.ts'
import { tokenCases } from './cases/tokens.ts'
import { runRooms, type SuiteResult } from './report.ts'

/** @param capability  what the runtime allows: another engine may sign, the signature is the same. */
export const runSuite = (capability: EngineCapability): Promise<SuiteResult> =>
  runRooms({
    bytes: bytesCases,
    stellar: stellarCases,
    evm: evmCases,
    mock: mockCases,
    passphrase: passphraseCases,
    store: storeCases,
    audit: auditCases,
    tokens: tokenCases,
    sign: signCases(capability),
  })
