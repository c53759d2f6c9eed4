/** The same suite against a real OpenBao, where the machine has one (COUNTERSIGN_BAO, or `bao` on the path). */
import { test } from 'node:test'
import { findBao, startBao } from '../local-kms/openbao-support.ts'
import { adminConformance } from './admin.ts'
import { vaultAdminOn } from './admin-subjects.ts'
import { providerConformance } from './provider.ts'
import { vaultSubjectOn } from './subjects-vault.ts'

const binary = findBao()

if (binary === undefined) {
  const skip = 'no OpenBao here: put `bao` on the path or name it in COUNTERSIGN_BAO'
  test('M-03 the Vault provider passes the suite on a real OpenBao', { skip }, () => {})
} else {
  adminConformance('vault-transit on OpenBao', async () => {
    const { url, stop } = await startBao(binary)
    return vaultAdminOn(url, 'root', stop)
  })
  for (const transport of ['node-vault', 'direct'] as const) {
    providerConformance(`M-03 vault-transit (${transport}) on OpenBao`, async () => {
      const { url, stop } = await startBao(binary)
      return vaultSubjectOn({ address: url, token: 'root', close: stop }, transport)
    })
  }
}
