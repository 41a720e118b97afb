import test from 'ava';
import { ruleset } from '#earshot/model/ruleset-check.js';
import { readText, rulesAsText, setsAsText } from './support/libnftnl.js';
import { netlinkText, nftJson, ruleSetOf } from './support/recorded.js';
import { RECORDINGS } from './support/recordings.js';

for (const name of RECORDINGS) {
  const read = ruleSetOf(name);

  test(`${name}: expressions are read as libnftnl reads them`, (t) => {
    const { rules } = readText(netlinkText(name));
    t.deepEqual(rulesAsText(read).sort(), rules.sort());
  });

  test(`${name}: elements are read as libnftnl reads them`, (t) => {
    const { sets } = readText(netlinkText(name));
    const withoutCatchall = sets.map((set) =>
      set
        .split('\n')
        .filter((line) => !line.includes('element : '))
        .join('\n'),
    );
    t.deepEqual(setsAsText(read).sort(), withoutCatchall.sort());
  });

  test(`${name}: tables, chains and sets are those that nft(8) lists`, (t) => {
    const entries = nftJson(name);
    const of = (kind: string): Record<string, unknown>[] =>
      entries.filter((entry) => kind in entry).map((entry) => entry[kind]);
    t.deepEqual(
      read.tables.map(({ family, name, handle }) => ({ family, name, handle })),
      of('table').map(({ family, name, handle }) => ({ family, name, handle })) as never,
    );
    t.deepEqual(
      new Set(
        read.chains.map(({ family, table, name, handle, base }) =>
          JSON.stringify([family, table, name, handle, base?.hook, base?.priority, base?.policy]),
        ),
      ),
      new Set(
        of('chain').map(({ family, table, name, handle, hook, prio, policy }) =>
          JSON.stringify([family, table, name, handle, hook, prio, policy]),
        ),
      ),
    );
    t.deepEqual(
      new Set(
        read.sets
          .filter(({ flags }) => !flags.includes('anonymous'))
          .map(({ family, table, name, handle }) => JSON.stringify([family, table, name, handle])),
      ),
      new Set(
        [...of('set'), ...of('map')].map(({ family, table, name, handle }) =>
          JSON.stringify([family, table, name, handle]),
        ),
      ),
    );
  });

  test(`${name}: what is read is of the form that a capture has`, (t) => {
    for (const set of read.sets) t.is(ruleset.set(set), null, set.name);
    for (const object of read.objects) t.is(ruleset.object(object), null, object.name);
    for (const { name: chain, rules } of read.chains) {
      for (const rule of rules) t.is(ruleset.rule(rule), null, `${chain} ${rule.handle}`);
    }
    t.deepEqual(JSON.parse(JSON.stringify(read)), read);
  });
}
