/** Bytes from hexadecimal text; a digit that is none counts as zero, and half a byte is left out. */
export function bytesFromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >>> 1);
  for (let index = 0; index < bytes.length; index++)
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}

/** Bytes as hexadecimal text. */
export function hexFromBytes(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Bytes from base64 text. */
export function bytesFromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

/** The bytes of a number, least significant first, as the register of a little-endian host holds it. */
export function littleEndian(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < Math.min(length, 4); index++) bytes[index] = value >>> (8 * index);
  return bytes;
}

/** The number that bytes hold, least significant first; at most four of them. */
export function fromLittleEndian(bytes: Uint8Array, offset = 0, length = bytes.length): number {
  let value = 0;
  for (let index = Math.min(length, 4) - 1; index >= 0; index--)
    value = (value * 256 + bytes[offset + index]!) >>> 0;
  return value;
}

/** The number that bytes hold, most significant first; at most four of them. */
export function fromBigEndian(bytes: Uint8Array, offset = 0, length = bytes.length): number {
  let value = 0;
  for (let index = 0; index < Math.min(length, 4); index++)
    value = (value * 256 + bytes[offset + index]!) >>> 0;
  return value;
}

/** The number that bytes hold, most significant first. */
export function fromBytes(bytes: Uint8Array, offset = 0, length = bytes.length): bigint {
  if (length <= 4) return BigInt(fromBigEndian(bytes, offset, length));
  let value = 0n;
  for (let index = offset; index < offset + length; index++)
    value = (value << 8n) | BigInt(bytes[index]!);
  return value;
}

/** memcmp of a stretch of one array and of another. */
export function compareBytes(
  one: Uint8Array,
  from: number,
  other: Uint8Array,
  otherFrom: number,
  length: number,
): number {
  for (let index = 0; index < length; index++) {
    const difference = one[from + index]! - other[otherFrom + index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

const paddedNames = new Map<string, Uint8Array>();
const mostNames = 4096;

/** A name as the kernel pads it to IFNAMSIZ. Not to be written to: interfaces are few, and asked often. */
export function paddedName(name: string): Uint8Array {
  const known = paddedNames.get(name);
  if (known) return known;
  const bytes = new Uint8Array(16);
  bytes.set(new TextEncoder().encode(name).subarray(0, 15));
  if (paddedNames.size === mostNames) paddedNames.clear();
  paddedNames.set(name, bytes);
  return bytes;
}
