import test from 'ava';
import { EarshotError, watch } from '#earshot/index.js';

const refusals: [options: unknown, says: RegExp][] = [
  [{ intervalMs: 9 }, /options\.intervalMs is 9: give whole milliseconds from 10 to 86400000/],
  [{ intervalMs: 12.5 }, /options\.intervalMs is 12\.5/],
  [{ intervalMs: '50' }, /options\.intervalMs is '50'/],
  [{ interval: 50 }, /options has no key 'interval': did you mean 'intervalMs'\?/],
  [{ signal: {} }, /options\.signal is \{\}: give the signal of an AbortController/],
  [{ existing: 1 }, /options\.existing is 1, not true or false/],
  [{ exposure: 'yes' }, /options\.exposure is 'yes', not true or false/],
  [{ filter: { port: 80 } }, /filter has no key 'port'/],
  [{ source: 'ss' }, /options\.source is 'ss'/],
  [null, /options is null, not an object/],
];

for (const [options, says] of refusals) {
  test(`watch(${JSON.stringify(options)}) is refused at once`, (t) => {
    const error = t.throws(() => watch(options as object), { instanceOf: EarshotError });
    t.is(error?.code, 'ERR_INVALID_ARGUMENT');
    t.regex(error?.message ?? '', says);
  });
}
