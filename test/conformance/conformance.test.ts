/** One line a provider and transport. */
import { providerConformance } from './provider.ts'
import { passphraseSubject } from './subjects-passphrase.ts'
import { gcpGrpcSubject, gcpRestSubject } from './subjects-gcp.ts'
import { vaultDirectSubject, vaultSubject } from './subjects-vault.ts'
import { awsLeanSubject, awsSubject, mockSubject, rawEnvSubject } from './subjects.ts'

providerConformance('mock', mockSubject)
providerConformance('raw-env', rawEnvSubject)
providerConformance('aws-kms over the AWS SDK', awsSubject)
providerConformance('aws-kms lean', awsLeanSubject)
providerConformance('vault-transit over node-vault', vaultSubject)
providerConformance('vault-transit over fetch alone', vaultDirectSubject)
providerConformance('passphrase', passphraseSubject)
providerConformance('gcp-kms over REST', gcpRestSubject)
providerConformance('gcp-kms over gRPC', gcpGrpcSubject)
