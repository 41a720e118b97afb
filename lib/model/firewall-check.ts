import { ruleset } from './ruleset-check.js';
import { int, listOf, oneOf, orNull, record, text, whole, word } from './shape.js';

const texts = listOf(text);
const handle = whole(0, Number.MAX_SAFE_INTEGER);

const hook = oneOf('ingress', 'egress', 'prerouting', 'input', 'forward', 'output', 'postrouting');

const nftables = record({
  generation: word,
  byteOrder: oneOf('little', 'big'),
  tables: listOf(record({ family: ruleset.family, name: text, handle, flags: texts })),
  chains: listOf(
    record({
      family: ruleset.family,
      table: text,
      name: text,
      handle,
      base: orNull(
        record({
          hook,
          priority: int,
          policy: oneOf('accept', 'drop'),
          type: text,
          devices: texts,
        }),
      ),
      rules: listOf(ruleset.rule),
    }),
  ),
  sets: listOf(ruleset.set),
  objects: listOf(ruleset.object),
  flowtables: listOf(ruleset.flowtable),
});

/** The form of a state's `firewall`. */
export const firewall = record({
  nftables: orNull(nftables),
  legacy: orNull(record({ ipv4: texts, ipv6: texts })),
});
