/** One line a provider and transport. */
import { providerConformance } from './provider.ts'
import { awsSubject, mockSubject, rawEnvSubject } from './subjects.ts'

providerConformance('mock', mockSubject)
providerConformance('raw-env', rawEnvSubject)
providerConformance('aws-kms over the AWS SDK', awsSubject)
