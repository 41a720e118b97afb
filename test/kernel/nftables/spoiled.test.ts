import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { decodeChains } from '#earshot/kernel/nftables/chains.js';
import { decodeObjects } from '#earshot/kernel/nftables/objects.js';
import type { NftRecord } from '#earshot/kernel/nftables/read.js';
import { decodeRules } from '#earshot/kernel/nftables/rules.js';
import { decodeSets, fillSet } from '#earshot/kernel/nftables/sets.js';
import { decodeGeneration, decodeTables } from '#earshot/kernel/nftables/tables.js';
import { randomFrom } from '../../native/support.js';
import { recordOf } from './support/recorded.js';
import { VARIED } from './support/recordings.js';

/* Bytes that no kernel wrote: each read ends, with a rule set or with an error that says what is wrong. */

const LITTLE_ENDIAN = true;

/** One answer of a recording, and what reads it. */
interface Answer {
  name: string;
  parts: Uint8Array[];
  decode(bytes: Uint8Array): unknown;
}

function answersOf(record: NftRecord): Answer[] {
  const answer = (name: string, bytes: Uint8Array, decode: Answer['decode']): Answer => ({
    name,
    parts: messagesOf(bytes),
    decode,
  });
  const noRules = (): [] => [];
  return [
    answer('generation', record.generation, (bytes) => decodeGeneration(bytes, LITTLE_ENDIAN)),
    answer('tables', record.tables, (bytes) => decodeTables(bytes, LITTLE_ENDIAN)),
    answer('chains', record.chains, (bytes) => decodeChains(bytes, noRules, LITTLE_ENDIAN)),
    answer('rules', record.rules, (bytes) => decodeRules(bytes, LITTLE_ENDIAN)),
    answer('sets', record.sets, (bytes) => decodeSets(bytes, LITTLE_ENDIAN)),
    answer('objects', record.objects, (bytes) => decodeObjects(bytes, LITTLE_ENDIAN)),
    ...decodeSets(record.sets, LITTLE_ENDIAN).map((head, index) =>
      answer(`elements of ${head.name}`, record.elements[index]!, (bytes) =>
        fillSet(head, bytes, LITTLE_ENDIAN),
      ),
    ),
  ];
}

function outcomeOf({ decode }: Answer, bytes: Uint8Array): 'read' | 'refused' {
  try {
    decode(bytes);
    return 'read';
  } catch (error) {
    if (error instanceof EarshotError && error.code === 'ERR_KERNEL') return 'refused';
    throw error;
  }
}

function messagesOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    parts.push(bytes.slice(at, at + length));
    at += (length + 3) & ~3;
  }
  return parts;
}

/** A message cut, and its header told so: what is inside has to see it. */
function cutTo(message: Uint8Array, length: number): Uint8Array {
  const cut = message.slice(0, length);
  new DataView(cut.buffer).setUint32(0, length, true);
  return cut;
}

for (const name of VARIED) {
  const { record } = recordOf(name);
  const answers = answersOf(record);

  test(`${name}: an answer cut short at any byte is refused`, (t) => {
    const read: string[] = [];
    let cuts = 0;
    for (const answer of answers) {
      for (const message of answer.parts) {
        for (let length = 1; length < message.length; length++, cuts++) {
          const outcome = outcomeOf(answer, message.slice(0, length));
          if (outcome === 'read') read.push(`${answer.name} cut to ${length}`);
        }
      }
    }
    t.deepEqual(read, []);
    t.true(cuts > 5000);
  });

  test(`${name}: a message whose end is cut off, and says so, is refused or gives less`, (t) => {
    let refused = 0;
    for (const answer of answers) {
      for (const message of answer.parts) {
        for (let length = 16; length < message.length; length++) {
          if (outcomeOf(answer, cutTo(message, length)) === 'refused') refused++;
        }
      }
    }
    t.true(refused > 3000);
  });

  test(`${name}: a message with any byte spoiled is refused or read`, (t) => {
    const seed = Date.now() % 1_000_000;
    t.log(`seed ${seed}`);
    const random = randomFrom(seed);
    for (const answer of answers) {
      for (const message of answer.parts) {
        for (const [at, was] of message.entries()) {
          message[at] = [0, 1, 0x7f, 0xff, random(256)][random(5)]!;
          outcomeOf(answer, message);
          message[at] = was;
        }
        t.is(outcomeOf(answer, message), 'read');
      }
    }
  });

  test(`${name}: random bytes are refused or read`, (t) => {
    const seed = Date.now() % 1_000_000;
    t.log(`seed ${seed}`);
    const random = randomFrom(seed);
    const outcomes = { read: 0, refused: 0 };
    for (const answer of answers) {
      for (const message of answer.parts) {
        // The header stays, or nothing would be looked at.
        const noise = message.map((byte, at) => (at < 20 || random(8) > 0 ? byte : random(256)));
        outcomes[outcomeOf(answer, noise)]++;
      }
    }
    t.true(outcomes.refused > 0);
  });
}
