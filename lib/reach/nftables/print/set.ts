import type { NftData, NftSet } from '../../../model/ruleset.js';
import { bytesFromBase64, bytesFromHex } from '../bytes.js';
import { printVerdict } from './statement-text.js';
import { printValue, type ValueType } from './values.js';

/** As many elements of an anonymous set as a person reads. */
const most = 6;

/** `{ 22, 80-90, 443 }`: the first elements, and how many more there are. */
export function printSet(set: NftSet, types: readonly ValueType[]): string {
  const keys = bytesFromBase64(set.keys);
  const ends = set.ends === null ? null : bytesFromBase64(set.ends);
  const keyEnds = set.keyEnds === null ? null : bytesFromBase64(set.keyEnds);
  const closes = (place: number): boolean =>
    ends !== null && ((ends[place >>> 3]! >>> (place & 7)) & 1) === 1;
  const shown: string[] = [];
  let count = 0;
  for (let place = 0; place < set.size; place++) {
    if (closes(place)) continue;
    count++;
    if (shown.length >= most) continue;
    const at = place * set.keyLength;
    const key = keys.subarray(at, at + set.keyLength);
    const end = keyEnds
      ? keyEnds.subarray(at, at + set.keyLength)
      : intervalEnd(set, keys, place, closes);
    shown.push(printKey(set, types, key, end) + printData(set, place));
  }
  if (set.catchall) shown.push(`*${catchallData(set.catchall.data)}`);
  const rest = count - Math.min(count, most);
  if (rest > 0) shown.push(`… ${rest} more`);
  return `{ ${shown.join(', ')} }`;
}

/** The last key of the interval that opens here: one below the key that closes it. */
function intervalEnd(
  set: NftSet,
  keys: Uint8Array,
  place: number,
  closes: (place: number) => boolean,
): Uint8Array | null {
  if (set.ends === null) return null;
  const next = place + 1;
  if (next >= set.size) return new Uint8Array(set.keyLength).fill(0xff);
  if (!closes(next)) return null;
  const end = keys.slice(next * set.keyLength, (next + 1) * set.keyLength);
  for (let index = end.length - 1; index >= 0; index--) if (end[index]!-- !== 0) break;
  return end;
}

function printKey(
  set: NftSet,
  types: readonly ValueType[],
  key: Uint8Array,
  end: Uint8Array | null,
): string {
  const fields = set.fields.length > 0 ? set.fields : [set.keyLength];
  let offset = 0;
  return fields
    .map((length, index) => {
      const type = inSet(types[index] ?? 'hex', set);
      const from = printValue(key.subarray(offset, offset + length), type);
      const to = end ? printValue(end.subarray(offset, offset + length), type) : from;
      offset += (length + 3) & ~3;
      return to === from ? from : `${from}-${to}`;
    })
    .join(' . ');
}

/** Intervals are kept in network order, whatever their type. */
function inSet(type: ValueType, set: NftSet): ValueType {
  return type === 'number' && set.ends !== null ? 'network-number' : type;
}

function printData(set: NftSet, place: number): string {
  const verdict = set.verdicts[set.verdictOf?.[place] ?? -1];
  if (verdict) return ` : ${printVerdict(verdict)}`;
  const object = set.objects?.[place];
  if (object) return ` : "${object}"`;
  if (set.data === null) return '';
  const bytes = bytesFromBase64(set.data).subarray(
    place * set.dataLength,
    (place + 1) * set.dataLength,
  );
  return ` : ${printValue(bytes, dataType(bytes))}`;
}

function catchallData(data: NftData | null): string {
  if (!data) return '';
  if ('verdict' in data) return ` : ${printVerdict(data.verdict)}`;
  const bytes = bytesFromHex(data.value);
  return ` : ${printValue(bytes, dataType(bytes))}`;
}

/** The type of a map's data is nft's own number; its length says enough. */
function dataType(bytes: Uint8Array): ValueType {
  return bytes.length === 16 ? 'address' : 'hex';
}
