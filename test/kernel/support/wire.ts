/** What an attribute holds: bytes as they are, a 32-bit word of the host, text with its NUL, or attributes. */
export type Content = Uint8Array | number | string | [type: number, content: Content][];

/** Writes netlink messages as a host of either byte order would. */
export class Wire {
  constructor(readonly littleEndian: boolean) {}

  message(type: number, header: Uint8Array, attributes: [number, Content][]): Uint8Array {
    const payload = join([
      header,
      ...attributes.map(([kind, content]) => this.attribute(kind, content)),
    ]);
    const bytes = new Uint8Array(16 + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length, this.littleEndian);
    view.setUint16(4, type, this.littleEndian);
    bytes.set(payload, 16);
    return bytes;
  }

  attribute(type: number, content: Content): Uint8Array {
    const value = this.#bytesOf(content);
    const bytes = new Uint8Array((4 + value.length + 3) & ~3);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 4 + value.length, this.littleEndian);
    view.setUint16(2, Array.isArray(content) ? type | 0x8000 : type, this.littleEndian);
    bytes.set(value, 4);
    return bytes;
  }

  word(value: number): Uint8Array {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, this.littleEndian);
    return bytes;
  }

  half(value: number): Uint8Array {
    const bytes = new Uint8Array(2);
    new DataView(bytes.buffer).setUint16(0, value, this.littleEndian);
    return bytes;
  }

  words(...values: number[]): Uint8Array {
    return join(values.map((value) => this.word(value)));
  }

  #bytesOf(content: Content): Uint8Array {
    if (typeof content === 'number') return this.word(content);
    if (typeof content === 'string') return new TextEncoder().encode(`${content}\0`);
    if (content instanceof Uint8Array) return content;
    return join(content.map(([type, inner]) => this.attribute(type, inner)));
  }

  /** RTM_NEWLINK of a device. */
  link(index: number, name: string, attributes: [number, Content][] = []): Uint8Array {
    const header = join([Uint8Array.of(0, 0), this.half(1), this.words(index, 0x1043, 0)]);
    return this.message(16, header, [[3, name], ...attributes]);
  }
}

export function join(parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
