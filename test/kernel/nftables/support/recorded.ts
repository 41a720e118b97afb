import { readFileSync } from 'node:fs';
import { decodeNftables, type NftRecord } from '#earshot/kernel/nftables/read.js';
import type { Nftables } from '#earshot/model/firewall.js';

const directory = new URL('../../../../../test/fixtures/nftables/', import.meta.url);

/** Recorded answers, by name, and the byte order of the host they were recorded on. */
export function recordOf(name: string): { record: NftRecord; littleEndian: boolean } {
  const { kernel, endianness, elements, ...answers } = JSON.parse(text(`${name}.dump.json`));
  const record = Object.fromEntries(
    Object.entries(answers).map(([kind, encoded]) => [kind, bytes(encoded as string)]),
  );
  return {
    record: { ...record, elements: elements.map(bytes) } as unknown as NftRecord,
    littleEndian: endianness === 'LE',
  };
}

/** The rule set in recorded answers. */
export function ruleSetOf(name: string): Nftables {
  const { record, littleEndian } = recordOf(name);
  return decodeNftables(record, littleEndian);
}

/** What libnftnl read of the same. */
export function netlinkText(name: string): string {
  return text(`${name}.netlink.txt`);
}

/** What `nft -j list ruleset` said of the same, without the rules. */
// biome-ignore lint/suspicious/noExplicitAny: what nft(8) prints has no declared form
export function nftJson(name: string): any[] {
  return JSON.parse(text(`${name}.nft.json`));
}

function text(file: string): string {
  return readFileSync(new URL(file, directory), 'utf8');
}

function bytes(encoded: string): Uint8Array {
  return Uint8Array.from(Buffer.from(encoded, 'base64'));
}
