/** One line an administration. */
import { test } from 'node:test'
import { refusal } from '../support/leaks.ts'
import { call } from '../support/provider-world.ts'
import { adminConformance } from './admin.ts'
import { awsAdmin, gcpGrpcAdmin, gcpRestAdmin, mockAdmin, vaultAdmin } from './admin-subjects.ts'

adminConformance('mock', mockAdmin)
adminConformance('aws-kms', awsAdmin)
adminConformance('gcp-kms over REST', gcpRestAdmin)
adminConformance('gcp-kms over gRPC', gcpGrpcAdmin)
adminConformance('vault-transit', vaultAdmin)

test('M-61 T43 no key that wraps seeds is given up as a signing key, whatever a row says of it', async () => {
  for (const open of [awsAdmin, gcpRestAdmin, vaultAdmin]) {
    const subject = await open()
    const { admin, days } = subject
    const wrapping = await admin.createWrappingKey({ label: 'seeds' }, call())
    const asked = admin.scheduleDestroy(wrapping, { days: days.granted }, call())
    await refusal(asked, open === awsAdmin ? 'key/unsupported' : 'provider/refused')
    await subject.close()
  }
})
