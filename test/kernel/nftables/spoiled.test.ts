import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { decodeNftables, type NftRecord } from '#earshot/kernel/nftables/read.js';
import { randomFrom } from '../../native/support.js';
import { recordOf } from './support/recorded.js';
import { RECORDINGS } from './support/recordings.js';

/* Bytes that no kernel wrote: each read ends, with a rule set or with an error that says what is wrong. */

const NOTHING = new Uint8Array(0);

/** A record with one answer alone; elements need the sets they belong to. */
function alone(kind: keyof NftRecord, bytes: Uint8Array, record: NftRecord, set = 0): NftRecord {
  const empty = { ...record, tables: NOTHING, chains: NOTHING, rules: NOTHING };
  const others = { ...empty, sets: NOTHING, objects: NOTHING, flowtables: NOTHING, elements: [] };
  if (kind !== 'elements') return { ...others, [kind]: bytes };
  return { ...others, sets: record.sets, elements: Object.assign([], { [set]: bytes }) };
}

function outcomeOf(record: NftRecord): 'read' | string {
  try {
    decodeNftables(record, true);
    return 'read';
  } catch (error) {
    if (error instanceof EarshotError && error.code === 'ERR_KERNEL') return error.message;
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

for (const name of RECORDINGS) {
  const { record } = recordOf(name);
  const answers = Object.entries(record).flatMap(([kind, bytes]) =>
    (Array.isArray(bytes) ? bytes : [bytes]).map((answer: Uint8Array, set) => ({
      kind: kind as keyof NftRecord,
      set,
      parts: messagesOf(answer),
    })),
  );

  test(`${name}: an answer cut short at any byte is refused`, (t) => {
    let cuts = 0;
    for (const { kind, set, parts } of answers) {
      for (const message of parts) {
        for (let length = 1; length < message.length; length++) {
          const outcome = outcomeOf(alone(kind, message.slice(0, length), record, set));
          if (outcome === 'read') t.fail(`${kind} ${set} cut to ${length} is read`);
          cuts++;
        }
      }
    }
    t.true(cuts > 5000);
  });

  test(`${name}: a message whose end was cut off inside is refused or gives less`, (t) => {
    let refused = 0;
    for (const { kind, set, parts } of answers) {
      for (const message of parts) {
        for (let length = 16; length < message.length; length++) {
          const outcome = outcomeOf(alone(kind, cutTo(message, length), record, set));
          if (outcome !== 'read') refused++;
        }
      }
    }
    t.true(refused > 3000);
  });

  test(`${name}: a message with any byte spoiled is refused or read`, (t) => {
    const seed = Date.now() % 1_000_000;
    t.log(`seed ${seed}`);
    const random = randomFrom(seed);
    for (const { kind, set, parts } of answers) {
      for (const message of parts) {
        for (const [at, was] of message.entries()) {
          message[at] = [0, 1, 0x7f, 0xff, random(256)][random(5)]!;
          outcomeOf(alone(kind, message, record, set));
          message[at] = was;
        }
        if (kind !== 'elements') t.is(outcomeOf(alone(kind, message, record, set)), 'read');
      }
    }
  });

  test(`${name}: random bytes are refused or read`, (t) => {
    const seed = Date.now() % 1_000_000;
    t.log(`seed ${seed}`);
    const random = randomFrom(seed);
    for (const { kind, set, parts } of answers) {
      for (const message of parts.slice(0, 20)) {
        const noise = message.map((byte, at) => (at < 20 || random(3) > 0 ? byte : random(256)));
        outcomeOf(alone(kind, noise, record, set));
      }
    }
    t.pass();
  });
}
