import { ruleset } from './ruleset-check.js';
import { bool, byte, listOf, oneOf, orNull, record, type Shape, text, word } from './shape.js';

/* The form of what lib/model/xtables.ts holds. */

const { hex, verdict } = ruleset;

const extension = record({ name: text, revision: byte, info: hex });
const address = orNull(record({ address: hex, mask: hex, invert: bool }));
const interfaceName = orNull(record({ name: text, isPrefix: bool, invert: bool }));

const target: Shape = (value) =>
  typeof value === 'object' && value !== null && 'verdict' in value
    ? record({ verdict })(value)
    : record({ extension })(value);

const rule = record({
  source: address,
  destination: address,
  input: interfaceName,
  output: interfaceName,
  protocol: orNull(record({ number: word, invert: bool })),
  fragment: orNull(record({ invert: bool })),
  matches: listOf(extension),
  target: orNull(target),
});

const chain = record({
  name: text,
  base: orNull(
    record({
      hook: oneOf('prerouting', 'input', 'forward', 'output', 'postrouting'),
      policy: oneOf('accept', 'drop'),
    }),
  ),
  rules: listOf(rule),
});

const table = record({ name: text, chains: orNull(listOf(chain)) });

/** The form of a firewall's legacy tables. */
export const legacyTables = record({ ipv4: listOf(table), ipv6: listOf(table) });

/** The form of a firewall's sets of ipset(8). */
export const ipSet = record({
  name: text,
  index: word,
  type: text,
  family: orNull(oneOf('ipv4', 'ipv6')),
  netmask: orNull(byte),
  elements: listOf(text),
});
