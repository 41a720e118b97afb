import test from 'ava';
import { formatAddress, parseAddress } from '#earshot/model/address.js';
import { Host } from '#earshot/reach/host.js';
import { selectSourceIpv6 } from '#earshot/reach/source-address.js';
import { host, type LinkChanges, link } from './support/state.js';

/** The source that is selected on a host whose eth0 and eth1 have these addresses. */
function source(
  addresses: { eth0?: string[]; eth1?: string[] },
  destination: string,
  out: string | null = 'eth0',
  changes: LinkChanges = {},
): string | null {
  const { eth0 = [], eth1 = [] } = addresses;
  const made = new Host(host({ links: [link('eth0', eth0, changes), link('eth1', eth1)] }));
  const device = out === null ? null : made.devices.get(out)!;
  const selected = selectSourceIpv6(made, parseAddress(destination)!, device);
  return selected && formatAddress(selected);
}

test('a destination of this host is its own source', (t) => {
  const addresses = { eth0: ['2001:db8::1/64'], eth1: ['2001:db8:1::1/64'] };
  t.is(source(addresses, '2001:db8:1::1'), '2001:db8:1::1');
});

test('the smallest scope that is enough is preferred', (t) => {
  const addresses = { eth0: ['2001:db8::1/64', 'fe80::1/64'] };
  t.is(source(addresses, 'fe80::9'), 'fe80::1');
  t.is(source(addresses, '2001:db8::9'), '2001:db8::1');
});

test('a deprecated address gives way to any other of the scope', (t) => {
  const addresses = { eth0: ['2001:db8::1/64 deprecated'], eth1: ['2001:db8:1::1/64'] };
  t.is(source(addresses, '2001:db8::9'), '2001:db8:1::1');
});

test('an address of the interface it leaves by is preferred, though another shares more bits', (t) => {
  const addresses = { eth0: ['2001:db8:1::1/64'], eth1: ['2001:db8:2::1/64'] };
  t.is(source(addresses, '2001:db8:2::9'), '2001:db8:1::1');
  t.is(source(addresses, '2001:db8:2::9', null), '2001:db8:2::1');
});

test('an address of the same label is preferred: ULA for ULA, global for global', (t) => {
  const addresses = { eth0: ['2001:db8::1/64', 'fd00::1/64'] };
  t.is(source(addresses, 'fd01::1'), 'fd00::1');
  t.is(source(addresses, '2600::1'), '2001:db8::1');
});

test('more shared bits are preferred, but none behind the prefix of the address count', (t) => {
  const addresses = { eth0: ['2001:db8:1::1/64', '2001:db8:2::1/64'] };
  t.is(source(addresses, '2001:db8:2::9'), '2001:db8:2::1');
  const short = { eth0: ['2001:db8:1::1/32', '2001:db8:2::1/32'] };
  t.is(source(short, '2001:db8:2::9'), '2001:db8:1::1');
});

test('for a link-local destination only addresses of that link count', (t) => {
  t.is(source({ eth1: ['fe80::1/64', '2001:db8::1/64'] }, 'fe80::9'), null);
});

test('an address that is tentative, failed or on an interface that is down is no source', (t) => {
  t.is(source({ eth0: ['2001:db8::1/64 tentative'], eth1: [] }, '2001:db8::9'), '::1');
  t.is(source({ eth0: ['2001:db8::1/64 dadfailed'] }, '2001:db8::9'), '::1');
  t.is(source({ eth0: ['2001:db8::1/64'] }, '2001:db8::9', 'eth0', { up: false }), '::1');
});
