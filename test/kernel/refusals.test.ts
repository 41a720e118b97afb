import { endianness } from 'node:os';
import test from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { capture } from '#earshot/index.js';
import { readFirewall } from '#earshot/kernel/firewall.js';
import { generationRequest } from '#earshot/kernel/nftables/tables.js';
import { decodeSettings, parseSetting, SETTINGS } from '#earshot/kernel/settings.js';
import { Turns } from '#earshot/kernel/turns.js';
import { type NetlinkAnswer, type NetlinkQuery, native } from '#earshot/native.js';
import { recorded } from './support/fixtures.js';

/* Kernels that refuse, by standing in for the addon's function: these tests run one after the other. */

const NETLINK_NETFILTER = 12;
const GETGEN = generationRequest().type;
const NO_RULE_SET = {
  generation: 0,
  byteOrder: endianness() === 'LE' ? ('little' as const) : ('big' as const),
  tables: [],
  chains: [],
  sets: [],
  objects: [],
  flowtables: [],
};

/** Lets `answer` speak for nftables while a test runs. */
function nftablesAnswers(
  t: { teardown(restore: () => void): void },
  answer: (query: NetlinkQuery) => NetlinkAnswer,
): void {
  const { netlink } = native;
  t.teardown(() => {
    native.netlink = netlink;
  });
  native.netlink = async (query) =>
    query.protocol === NETLINK_NETFILTER ? answer(query) : netlink(query);
}

const refuseAll = (errno: number) => (query: NetlinkQuery) => ({
  replies: query.requests.map(() => ({ errno, detail: '' })),
  changed: false,
});

for (const [errno, why] of [
  [22, 'no nftables registered with nfnetlink (EINVAL)'],
  [95, 'nfnetlink without nftables (EOPNOTSUPP)'],
] as const) {
  test.serial(`a kernel with ${why} has no rule set`, async (t) => {
    nftablesAnswers(t, refuseAll(errno));
    const { firewall, missing } = await readFirewall(null, new Turns(1));
    t.deepEqual(firewall.nftables, NO_RULE_SET);
    t.false(missing.some(({ what }) => what === 'nftables'));
  });
}

test.serial('a kernel without NETLINK_NETFILTER has no rule set', async (t) => {
  nftablesAnswers(t, () => {
    throw new EarshotError('ERR_KERNEL', 'no such protocol', { syscall: 'socket', errno: 93 });
  });
  const { firewall } = await readFirewall(null, new Turns(1));
  t.deepEqual(firewall.nftables, NO_RULE_SET);
});

for (const errno of [1, 13]) {
  test.serial(`a rule set refused with errno ${errno} is missing, not empty`, async (t) => {
    nftablesAnswers(t, refuseAll(errno));
    const { firewall, missing } = await readFirewall(null, new Turns(1));
    t.is(firewall.nftables, null);
    const entry = missing.find(({ what }) => what === 'nftables');
    t.regex(entry!.reason, /EPERM|EACCES/);
    t.regex(entry!.remedy, /CAP_NET_ADMIN/);
  });
}

/** A rule set whose generation is another at each of the first `changes` questions for it. */
function restless(changes: number): (query: NetlinkQuery) => NetlinkAnswer {
  let asked = 0;
  return (query) => ({
    changed: false,
    replies: query.requests.map(({ type }) => {
      if (type !== GETGEN) return new Uint8Array(0);
      const bytes = Uint8Array.from(recorded('nft-generation'));
      bytes[27] = Math.min(asked++, changes); // the last byte of NFTA_GEN_ID
      return bytes;
    }),
  });
}

test.serial('a rule set that changed while it was read is read again', async (t) => {
  nftablesAnswers(t, restless(3));
  const { firewall, missing } = await readFirewall(null, new Turns(1));
  t.deepEqual(firewall.nftables?.tables, []);
  t.false(missing.some(({ what }) => what === 'nftables'));
});

test.serial('a rule set that never rests is missing', async (t) => {
  nftablesAnswers(t, restless(1000));
  const { firewall, missing } = await readFirewall(null, new Turns(1));
  t.is(firewall.nftables, null);
  t.regex(
    missing.find(({ what }) => what === 'nftables')!.reason,
    /changed during each of 3 reads/,
  );
});

test.serial('without rtnetlink a capture still has its other parts', async (t) => {
  const { netlink } = native;
  t.teardown(() => {
    native.netlink = netlink;
  });
  native.netlink = async () => {
    throw new EarshotError('ERR_PERMISSION', 'opening a netlink socket: EACCES', {
      syscall: 'socket',
      errno: 13,
    });
  };
  const state = await capture();
  const whats = state.missing.map(({ what }) => what);
  for (const what of ['interfaces', 'routes', 'rules', 'nftables'] as const) {
    t.true(whats.includes(what), what);
  }
  t.true(state.families.ipv4);
  t.true(Object.keys(state.settings).length > 20);
});

test('a setting is a number where its file holds one, else its text', (t) => {
  t.is(parseSetting('1\n'), 1);
  t.is(parseSetting('-1\n'), -1);
  t.is(parseSetting('32768\t60999\n'), '32768 60999');
  t.is(parseSetting('\n'), '');
  t.is(parseSetting('8080,9148\n'), '8080,9148');
});

test('a setting that does not exist is left out, one that is refused is missing', (t) => {
  const names = Object.keys(SETTINGS);
  const one = new TextEncoder().encode('1\n');
  const contents = names.map((name) =>
    name === 'net.ipv4.ip_forward' ? 13 : name.startsWith('net.ipv6.') ? 2 : one,
  );
  const { settings, missing } = decodeSettings(contents);
  t.deepEqual(
    Object.keys(settings),
    names.filter((name) => name !== 'net.ipv4.ip_forward' && !name.startsWith('net.ipv6.')),
  );
  t.is(missing.length, 1);
  t.regex(missing[0]!.reason, /net\.ipv4\.ip_forward was refused with EACCES/);
});

test('settings of which none exists are missing: proc is not mounted', (t) => {
  const { missing } = decodeSettings(Object.keys(SETTINGS).map(() => 2));
  t.like(missing[0], { what: 'settings' });
});
