/** One line an administration. */
import { adminConformance } from './admin.ts'
import { awsAdmin, gcpGrpcAdmin, gcpRestAdmin, mockAdmin, vaultAdmin } from './admin-subjects.ts'

adminConformance('mock', mockAdmin)
adminConformance('aws-kms', awsAdmin)
adminConformance('gcp-kms over REST', gcpRestAdmin)
adminConformance('gcp-kms over gRPC', gcpGrpcAdmin)
adminConformance('vault-transit', vaultAdmin)
