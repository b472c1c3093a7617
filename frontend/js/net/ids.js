/**
 * Random keys that need no secure context: crypto.randomUUID is missing on http:// addresses of a LAN.
 */

/** @returns {string} 32 hexadecimal digits */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
