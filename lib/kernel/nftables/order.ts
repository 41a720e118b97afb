/** The rows 0 to `count` in the order of their keys; of equal keys those first that close an interval. */
export function sortedOrder(
  keys: Uint8Array,
  width: number,
  closes: Uint8Array,
  count: number,
): Uint32Array {
  let order = new Uint32Array(count);
  for (let row = 0; row < count; row++) order[row] = row;
  if (isSorted(keys, width, closes, count)) return order;
  // Counting sort by one byte after the other, the last one first: each pass keeps what those
  // before it made. A byte that is the same in all keys, as in the prefix they share, has no pass.
  let next = new Uint32Array(count);
  const starts = new Uint32Array(256);
  const pass = (column: Uint8Array, stride: number, offset: number, flip: number): void => {
    starts.fill(0);
    for (let row = 0, at = offset; row < count; row++, at += stride) starts[column[at]! ^ flip]!++;
    let start = 0;
    for (let byte = 0; byte < 256; byte++) {
      const here = starts[byte]!;
      if (here === count) return;
      starts[byte] = start;
      start += here;
    }
    for (let place = 0; place < count; place++) {
      const row = order[place]!;
      next[starts[column[row * stride + offset]! ^ flip]!++] = row;
    }
    [order, next] = [next, order];
  };
  pass(closes, 1, 0, 1);
  for (let byte = width - 1; byte >= 0; byte--) pass(keys, width, byte, 0);
  return order;
}

/** Interval sets come in order (nft_rbtree_walk): then there is nothing to do. */
function isSorted(keys: Uint8Array, width: number, closes: Uint8Array, count: number): boolean {
  for (let row = 1, at = width; row < count; row++, at += width) {
    let byte = 0;
    while (byte < width && keys[at - width + byte] === keys[at + byte]) byte++;
    if (
      byte === width ? closes[row - 1]! < closes[row]! : keys[at - width + byte]! > keys[at + byte]!
    )
      return false;
  }
  return true;
}
