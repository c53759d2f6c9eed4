import * as aliases from './aliases.ts'
import type { Operation } from './context.ts'
import * as dataKeys from './data-keys.ts'
import * as encryption from './encryption.ts'
import * as keyImport from './import.ts'
import * as keys from './keys.ts'
import * as policies from './policies.ts'
import * as rotation from './rotation.ts'
import * as signing from './signing.ts'
import * as tags from './tags.ts'

/** Every operation there is, by the name that `X-Amz-Target` gives after `TrentService.`. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  CancelKeyDeletion: keys.CancelKeyDeletion,
  CreateAlias: aliases.CreateAlias,
  CreateKey: keys.CreateKey,
  Decrypt: encryption.Decrypt,
  DeleteAlias: aliases.DeleteAlias,
  DeleteImportedKeyMaterial: keyImport.DeleteImportedKeyMaterial,
  DescribeKey: keys.DescribeKey,
  DisableKey: keys.DisableKey,
  DisableKeyRotation: rotation.DisableKeyRotation,
  EnableKey: keys.EnableKey,
  EnableKeyRotation: rotation.EnableKeyRotation,
  Encrypt: encryption.Encrypt,
  GenerateDataKey: dataKeys.GenerateDataKey,
  GenerateDataKeyPair: dataKeys.GenerateDataKeyPair,
  GenerateDataKeyPairWithoutPlaintext: dataKeys.GenerateDataKeyPairWithoutPlaintext,
  GenerateDataKeyWithoutPlaintext: dataKeys.GenerateDataKeyWithoutPlaintext,
  GenerateMac: signing.GenerateMac,
  GenerateRandom: dataKeys.GenerateRandom,
  GetKeyPolicy: policies.GetKeyPolicy,
  GetKeyRotationStatus: rotation.GetKeyRotationStatus,
  GetParametersForImport: keyImport.GetParametersForImport,
  GetPublicKey: signing.GetPublicKey,
  ImportKeyMaterial: keyImport.ImportKeyMaterial,
  ListAliases: aliases.ListAliases,
  ListKeyPolicies: policies.ListKeyPolicies,
  ListKeyRotations: rotation.ListKeyRotations,
  ListKeys: keys.ListKeys,
  ListResourceTags: tags.ListResourceTags,
  PutKeyPolicy: policies.PutKeyPolicy,
  ReEncrypt: encryption.ReEncrypt,
  RotateKeyOnDemand: rotation.RotateKeyOnDemand,
  ScheduleKeyDeletion: keys.ScheduleKeyDeletion,
  Sign: signing.Sign,
  TagResource: tags.TagResource,
  UntagResource: tags.UntagResource,
  UpdateAlias: aliases.UpdateAlias,
  UpdateKeyDescription: keys.UpdateKeyDescription,
  Verify: signing.Verify,
  VerifyMac: signing.VerifyMac,
}
