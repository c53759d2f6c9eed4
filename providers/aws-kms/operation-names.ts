/** What is asked of AWS KMS, by its own names. The data plane asks the first four; the rest is for administration and doctor. */
export type OperationName =
  | 'Sign'
  | 'Encrypt'
  | 'Decrypt'
  | 'GetPublicKey'
  | 'DescribeKey'
  | 'CreateKey'
  | 'GetParametersForImport'
  | 'ImportKeyMaterial'
  | 'DisableKey'
  | 'EnableKey'
  | 'ScheduleKeyDeletion'
