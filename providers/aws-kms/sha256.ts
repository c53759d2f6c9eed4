import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'

type SourceData = string | ArrayBuffer | ArrayBufferView

/**
 * SHA-256, or HMAC when there is a secret, in the shape AWS's request signing asks for. Synchronous, and the same on every
 * runtime: a request is hashed in microseconds, which is less than one turn of a thread pool takes.
 */
export class Sha256 {
  private readonly secret: Uint8Array | undefined
  private state: { update(bytes: Uint8Array): unknown; digest(): Uint8Array }

  constructor(secret?: SourceData) {
    this.secret = secret === undefined ? undefined : bytesOf(secret)
    this.state = this.fresh()
  }

  update(bytes: Uint8Array): void {
    this.state.update(bytes)
  }

  async digest(): Promise<Uint8Array> {
    return this.state.digest()
  }

  reset(): void {
    this.state = this.fresh()
  }

  private fresh() {
    return this.secret === undefined ? sha256.create() : hmac.create(sha256, this.secret)
  }
}

function bytesOf(data: SourceData): Uint8Array {
  if (typeof data === 'string') return new TextEncoder().encode(data)
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return new Uint8Array(data)
}
