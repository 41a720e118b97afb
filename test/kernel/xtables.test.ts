import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { decodeTable } from '#earshot/kernel/xtables/table.js';
import { native, type XtablesBytes } from '#earshot/native.js';
import { requires } from '../support/requirements.js';
import { namespaceFor } from './support/namespace.js';

/* Legacy tables as the kernel tells them: read whole, and refused where their bytes are spoiled. */

const live = requires('root', 'tool:ip', 'tool:iptables-legacy', 'tool:ip6tables-legacy');

const lines = [
  '-N web',
  '-A INPUT -s 10.0.0.0/8 -i eth+ -p tcp -m tcp --dport 80 -j web',
  '-A INPUT ! -i lo -j REJECT',
  '-A web -p tcp -g web2',
  '-A web',
];

async function tableOf(t: Parameters<typeof namespaceFor>[0]): Promise<XtablesBytes> {
  const here = namespaceFor(t);
  here.run('iptables-legacy', '-N', 'web2');
  for (const line of lines) here.run('iptables-legacy', ...line.split(' '));
  here.run('iptables-legacy', '-P', 'FORWARD', 'DROP');
  const [table] = await native.readXtables({
    family: 'ipv4',
    tables: ['filter'],
    netns: here.path,
  });
  if (typeof table !== 'object') throw new Error(`the table was refused: ${table}`);
  return table;
}

live('chains, policies, jumps and rules without a target are told', async (t) => {
  const chains = decodeTable(await tableOf(t), 'ipv4');
  t.deepEqual(
    chains.map(({ name, base }) => [name, base?.hook ?? null, base?.policy ?? null]),
    [
      ['INPUT', 'input', 'accept'],
      ['FORWARD', 'forward', 'drop'],
      ['OUTPUT', 'output', 'accept'],
      ['web', null, null],
      ['web2', null, null],
    ],
  );
  const [input, , , web, web2] = chains;
  t.like(input!.rules[0], {
    source: { address: '0a000000', mask: 'ff000000', invert: false },
    input: { name: 'eth', isPrefix: true, invert: false },
    protocol: { number: 6, invert: false },
    target: { verdict: { code: 'jump', chain: 'web' } },
  });
  t.deepEqual(input!.rules[1]!.input, { name: 'lo', isPrefix: false, invert: true });
  t.deepEqual(
    web!.rules.map(({ target }) => target),
    [{ verdict: { code: 'goto', chain: 'web2' } }, null],
  );
  t.deepEqual(web2!.rules, []);
});

live(
  'a table cut short, or with any byte spoiled, is decoded or refused as malformed',
  async (t) => {
    const { info, entries } = await tableOf(t);
    const attempt = (bytes: Uint8Array, told = info) => {
      try {
        decodeTable({ info: told, entries: bytes }, 'ipv4');
        return 'decoded';
      } catch (error) {
        t.true(error instanceof EarshotError, String(error));
        return 'refused';
      }
    };
    t.is(attempt(entries), 'decoded');
    for (let length = 1; length < entries.length; length += 3)
      t.is(attempt(entries.subarray(0, length)), 'refused', String(length));
    let refused = 0;
    for (let at = 0; at < entries.length; at++)
      for (const value of [0x00, 0x01, 0x7f, 0xff]) {
        const spoiled = entries.slice();
        spoiled[at] = value;
        if (attempt(spoiled) === 'refused') refused++;
      }
    t.true(refused > 100, String(refused));
    for (let length = 0; length < info.length; length += 4)
      t.is(attempt(entries, info.subarray(0, length)) === 'decoded', length >= 84, String(length));
  },
);

test('no entries are no chains, and no hook may name one', (t) => {
  const info = new Uint8Array(84);
  t.deepEqual(decodeTable({ info, entries: new Uint8Array(0) }, 'ipv6'), []);
  info[32] = 1 << 1;
  t.throws(() => decodeTable({ info, entries: new Uint8Array(0) }, 'ipv6'), {
    instanceOf: EarshotError,
  });
});
