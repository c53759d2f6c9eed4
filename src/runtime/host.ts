/**
 * Whether a Host header is one plain authority. Both servers make the URL of a request from it, so without one, or with
 * `a/..` in it, the path that is routed would not be the path that was sent (RFC 9112 §3.2; a proxy in front judges by that).
 */
export const isPlainHost = (host: string | null | undefined): boolean =>
  typeof host === 'string' && /^[A-Za-z0-9._:[\]-]{1,255}$/.test(host)
