import { operation } from './context.ts'
import { crc32c } from './crc32c.ts'
import { badField } from './errors.ts'
import { requireName } from './names.ts'

const LENGTH_MIN = 8
const LENGTH_MAX = 1024

/** Only HSMs give random bytes. */
export const GenerateRandomBytes = operation(
  (request, context) => {
    const location = requireName(request['location'], 'location', 'location')
    context.authorize('cloudkms.locations.generateRandomBytes', location.full)
    const length = Number(request['lengthBytes'] ?? 0)
    if (length < LENGTH_MIN || length > LENGTH_MAX) {
      throw badField(
        'length_bytes',
        `length_bytes must be between ${LENGTH_MIN} and ${LENGTH_MAX}, but it is ${length}.`,
      )
    }
    if (request['protectionLevel'] !== 'HSM') {
      throw badField('protection_level', 'GenerateRandomBytes is supported for protection level HSM only.')
    }
    const data = context.stream('random bytes').bytes(length)
    return { data, dataCrc32c: crc32c(data) }
  },
  { crypto: true },
)
