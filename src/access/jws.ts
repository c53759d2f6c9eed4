export { type CompactJws, hasExactly, readCompact, readJsonObject } from '../bytes/jws.ts'
