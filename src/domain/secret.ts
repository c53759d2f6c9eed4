/**
 * Secrets cost a word. A Secret or SecretBytes has no printable inside: not in a template, not in JSON, not in an
 * inspector. Reading one takes `reveal` or `use`, two words to search for in review.
 */
const texts = new WeakMap<Secret, string>()

export class Secret {
  readonly label: string
  constructor(value: string, label: string) {
    this.label = label
    texts.set(this, value)
  }
  toString(): string {
    return `[secret ${this.label}]`
  }
  toJSON(): string {
    return this.toString()
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

export function reveal(secret: Secret): string {
  const value = texts.get(secret)
  if (value === undefined) throw new TypeError('Cannot reveal a secret this module did not make')
  return value
}

const insides = new WeakMap<SecretBytes, Uint8Array>()

/** Key bytes for one call. `use` hands them out; `wipe` overwrites them, after which `use` throws. Takes ownership of the array. */
export class SecretBytes {
  readonly label: string
  readonly length: number
  constructor(bytes: Uint8Array, label: string) {
    this.label = label
    this.length = bytes.length
    insides.set(this, bytes)
  }
  /** Runs `body` on the live bytes. Do not keep a reference to them. */
  use<T>(body: (bytes: Uint8Array) => T): T {
    const bytes = insides.get(this)
    if (bytes === undefined) throw new TypeError(`Cannot use [secret ${this.label}] after it was wiped`)
    return body(bytes)
  }
  wipe(): void {
    insides.get(this)?.fill(0)
    insides.delete(this)
  }
  get wiped(): boolean {
    return !insides.has(this)
  }
  toString(): string {
    return `[secret ${this.label}]`
  }
  toJSON(): string {
    return this.toString()
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}
