import { readFileSync } from 'node:fs';

const directory = new URL('../../../../test/fixtures/rtnetlink/', import.meta.url);

/** Recorded bytes, by name. They were recorded on a little-endian host. */
export function recorded(name: string): Uint8Array {
  return readFileSync(new URL(`${name}.bin`, directory));
}

/** What ip(8) or nft(8) said of the same, by name. */
// biome-ignore lint/suspicious/noExplicitAny: what these programs print has no declared form
export function witness(name: string): any {
  return JSON.parse(readFileSync(new URL(`${name}.json`, directory), 'utf8'));
}
