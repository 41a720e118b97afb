import type { NftExpression } from '../../../model/ruleset.js';
import { bytesFromHex, fromLittleEndian } from '../bytes.js';
import type { Registers } from '../registers.js';
import type { Evaluate } from '../run.js';

type Bitwise = Extract<NftExpression, { kind: 'bitwise' }>;

/** nft_bitwise_eval: masks, shifts, and operations of two registers. */
export function bitwise(expression: Bitwise): Evaluate {
  switch (expression.op) {
    case 'mask-xor':
      return maskXor(expression);
    case 'lshift':
    case 'rshift':
      return shift(expression);
    case 'and':
    case 'or':
    case 'xor':
      return combine(expression);
  }
}

function maskXor({ source, destination, length, mask, xor }: Bitwise): Evaluate {
  const ands = bytesFromHex(mask ?? '');
  const xors = bytesFromHex(xor ?? '');
  return ({ registers }) => {
    const { bytes, unknown, peerByte, peerMask } = registers;
    if (registers.holdsPeer) registers.changePeer(destination, length);
    for (let index = 0; index < length; index++) {
      const from = source * 4 + index;
      const to = destination * 4 + index;
      const and = ands[index] ?? 0;
      bytes[to] = (bytes[from]! & and) ^ (xors[index] ?? 0);
      unknown[to] = unknown[from]! & and;
      if (!registers.holdsPeer) continue;
      peerByte[to] = peerByte[from]!;
      peerMask[to] = peerMask[from]! & and;
    }
    return 'continue';
  };
}

/** nft_bitwise_eval_lshift and _rshift: the words are in the host's order, the first the most significant. */
function shift({ source, destination, length, op, data }: Bitwise): Evaluate {
  const width = fromLittleEndian(bytesFromHex(data ?? ''));
  const words = (length + 3) >>> 2;
  const move = (bytes: Uint8Array): void => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    let carry = 0;
    for (let step = 0; step < words; step++) {
      const word = op === 'lshift' ? words - 1 - step : step;
      const value = view.getUint32((source + word) * 4, true);
      const shifted = op === 'lshift' ? value << width : value >>> width;
      view.setUint32((destination + word) * 4, (shifted | carry) >>> 0, true);
      // A shift by 32 is none in JavaScript: a width of zero carries nothing.
      carry = width === 0 ? 0 : op === 'lshift' ? value >>> (32 - width) : value << (32 - width);
    }
  };
  return ({ registers }) => {
    if (width > 31) return 'unknown';
    move(registers.bytes);
    move(registers.unknown);
    return 'continue';
  };
}

function combine({ source, source2, destination, length, op, data }: Bitwise): Evaluate {
  const constant = data === null ? null : bytesFromHex(data);
  const pair = (registers: Registers, index: number): [number, number, number, number] => {
    const at = source * 4 + index;
    const other = (source2 ?? 0) * 4 + index;
    return [
      registers.bytes[at]!,
      registers.unknown[at]!,
      constant ? (constant[index] ?? 0) : registers.bytes[other]!,
      constant ? 0 : registers.unknown[other]!,
    ];
  };
  return ({ registers }) => {
    for (let index = 0; index < length; index++) {
      const [one, oneUnknown, two, twoUnknown] = pair(registers, index);
      const to = destination * 4 + index;
      const unknown = oneUnknown | twoUnknown;
      if (op === 'and') {
        registers.bytes[to] = one & two;
        // A known zero on either side is a zero.
        registers.unknown[to] = unknown & (one | oneUnknown) & (two | twoUnknown);
      } else if (op === 'or') {
        registers.bytes[to] = one | two;
        registers.unknown[to] = unknown & ~((one & ~oneUnknown) | (two & ~twoUnknown));
      } else {
        registers.bytes[to] = one ^ two;
        registers.unknown[to] = unknown;
      }
    }
    return 'continue';
  };
}
