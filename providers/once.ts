/** Remembers the promise of `load` by key. A rejected one is dropped, so that the next caller tries again. */
export function memoised<K, V>(load: (key: K) => Promise<V>): { get(key: K): Promise<V>; clear(): void } {
  const kept = new Map<K, Promise<V>>()
  return {
    get: key => {
      const before = kept.get(key)
      if (before !== undefined) return before
      const promise = load(key)
      kept.set(key, promise)
      promise.catch(() => {
        if (kept.get(key) === promise) kept.delete(key)
      })
      return promise
    },
    clear: () => kept.clear(),
  }
}
