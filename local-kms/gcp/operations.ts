import type { Operation } from './context.ts'
import * as encryption from './encryption.ts'
import * as iam from './iam.ts'
import * as imports from './imports.ts'
import * as keys from './keys.ts'
import { GenerateRandomBytes } from './random-bytes.ts'
import * as rings from './rings.ts'
import * as signing from './signing.ts'
import * as versions from './versions.ts'

/** Every operation there is, by method name; both transports run this table. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  AsymmetricDecrypt: signing.AsymmetricDecrypt,
  AsymmetricSign: signing.AsymmetricSign,
  CreateCryptoKey: keys.CreateCryptoKey,
  CreateCryptoKeyVersion: versions.CreateCryptoKeyVersion,
  CreateImportJob: imports.CreateImportJob,
  CreateKeyRing: rings.CreateKeyRing,
  Decrypt: encryption.Decrypt,
  DestroyCryptoKeyVersion: versions.DestroyCryptoKeyVersion,
  Encrypt: encryption.Encrypt,
  GenerateRandomBytes,
  GetCryptoKey: keys.GetCryptoKey,
  GetCryptoKeyVersion: versions.GetCryptoKeyVersion,
  GetIamPolicy: iam.GetIamPolicy,
  GetImportJob: imports.GetImportJob,
  GetKeyRing: rings.GetKeyRing,
  GetLocation: rings.GetLocation,
  GetPublicKey: versions.GetPublicKey,
  ImportCryptoKeyVersion: imports.ImportCryptoKeyVersion,
  ListCryptoKeyVersions: versions.ListCryptoKeyVersions,
  ListCryptoKeys: keys.ListCryptoKeys,
  ListImportJobs: imports.ListImportJobs,
  ListKeyRings: rings.ListKeyRings,
  ListLocations: rings.ListLocations,
  MacSign: signing.MacSign,
  MacVerify: signing.MacVerify,
  RawDecrypt: encryption.RawDecrypt,
  RawEncrypt: encryption.RawEncrypt,
  RestoreCryptoKeyVersion: versions.RestoreCryptoKeyVersion,
  SetIamPolicy: iam.SetIamPolicy,
  TestIamPermissions: iam.TestIamPermissions,
  UpdateCryptoKey: keys.UpdateCryptoKey,
  UpdateCryptoKeyPrimaryVersion: keys.UpdateCryptoKeyPrimaryVersion,
  UpdateCryptoKeyVersion: versions.UpdateCryptoKeyVersion,
}
