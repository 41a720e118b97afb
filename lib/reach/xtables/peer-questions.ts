import { type Address, addressToBytes } from '../../model/address.js';
import { addressToNumber } from '../../model/prefix-set.js';
import { prefixLengthOf } from '../nftables/print/values.js';
import type { Run } from '../nftables/run.js';

/*
 * What matches of xtables ask of the peer's address, as `nftables/peer-questions.ts` for registers.
 * Questions to the routing are not among them: peers whom routing tells apart are of other classes
 * before rules are asked (`piecesOf`).
 */

/** Notes whether an address, which may be that of the peer, lies between two others, both included. */
export function askIfBetween(run: Run, address: Address, from: Address, to: Address): void {
  if (!run.peer?.isPeer(address)) return;
  askForRange(run, addressToNumber(from), addressToNumber(to));
}

/** Notes whether an address is a certain one as far as a mask goes; what is no prefix blurs. */
export function askIfMasked(run: Run, address: Address, mask: Address, value: Address): void {
  if (!run.peer?.isPeer(address)) return;
  const bytes = addressToBytes(mask);
  const length = prefixLengthOf(bytes);
  if (length === null) {
    run.looksAtPeer();
    return;
  }
  const size = 1n << BigInt(bytes.length * 8 - length);
  const first = (addressToNumber(value) / size) * size;
  askForRange(run, first, first + size - 1n);
}

function askForRange({ peer }: Run, first: bigint, last: bigint): void {
  if (!peer) return;
  const ranges = () => (first <= last ? [{ first, last }] : []);
  peer.asks(`${first}-${last}`, ranges, peer.number >= first && peer.number <= last);
}
