import type { HostState } from '../../model/host-state.js';
import type { Ipv4Settings } from '../../model/interface.js';
import type { Device } from '../host.js';
import type { Cause } from '../verdict.js';
import type { Change, Failing } from './change.js';
import { withInterfaceSetting, withSetting } from './edit.js';
import { shellQuoted } from './shell.js';

/* What sysctl(8) changes. Where `all` and the interface's own count together, each that is in the way is named. */

type Ipv4Name = keyof Ipv4Settings;

/** Loose is enough where there is a route back at all; else the filter has to be off. */
export function relaxReversePath(
  { host }: Failing,
  cause: Extract<Cause, { code: 'reverse-path' }>,
): Change[] {
  const device = host.devices.get(cause.interface);
  if (!device) return [];
  const from = `from peers on ${device.name}`;
  const loose = own(device, 'rp_filter', 2);
  return [
    ...(cause.mode === 'strict'
      ? [change(`Let the reverse path filter be loose for packets ${from}`, [loose], 12)]
      : []),
    change(
      `Switch the reverse path filter off for packets ${from}${filtersAll(device) ? ', and that of all interfaces' : ''}`,
      [own(device, 'rp_filter', 0), ...(filtersAll(device) ? [ofAll(device, 'rp_filter', 0)] : [])],
      45,
    ),
  ];

  function filtersAll({ name }: Device): boolean {
    return host.setting('net.ipv4.conf.all.rp_filter', 0) !== 0 && name !== 'all';
  }
}

/** Packets that bring an address of this host from outside. */
export function acceptLocal(
  { host }: Failing,
  cause: Extract<Cause, { code: 'source-is-ours' }>,
): Change[] {
  const device = host.devices.get(cause.interface);
  if (!device?.hasIpv4) return [];
  return [
    change(
      `Take packets on ${device.name} that bring an address of this host itself (anybody there may then pretend to be this host)`,
      [own(device, 'accept_local', 1)],
      40,
    ),
  ];
}

/** Packets for 127.0.0.0/8 from outside. */
export function routeLocalnet(
  { host }: Failing,
  cause: Extract<Cause, { code: 'martian-destination' }>,
): Change[] {
  const device = host.devices.get(cause.interface);
  if (!device || cause.setting === null) return [];
  return [
    change(
      `Take packets for 127.0.0.0/8 that arrive on ${device.name} (every program that listens on loopback is then open there)`,
      [own(device, 'route_localnet', 1)],
      60,
    ),
  ];
}

/** ARP that is answered for every address of this host. */
export function answerArp(
  { host }: Failing,
  cause: Extract<Cause, { code: 'neighbour-not-answered' }>,
): Change[] {
  const device = host.devices.get(cause.interface);
  if (!device || cause.protocol !== 'arp' || cause.setting === null) return [];
  const name: Ipv4Name = cause.setting.endsWith('arp_filter') ? 'arp_filter' : 'arp_ignore';
  const isOwn = (device.link.ipv4?.[name] ?? 0) !== 0;
  const isOfAll = host.setting(`net.ipv4.conf.all.${name}`, 0) !== 0;
  return [
    change(
      `Answer ARP on ${device.name} for ${cause.destination}${isOfAll ? ' (and on every interface for all addresses)' : ''}`,
      [...(isOwn ? [own(device, name, 0)] : []), ...(isOfAll ? [ofAll(device, name, 0)] : [])],
      isOfAll ? 20 : 15,
    ),
  ];
}

/** IPv6 on an interface that has it switched off. */
export function enableIpv6(
  { host }: Failing,
  cause: Extract<Cause, { code: 'ip-disabled' }>,
): Change[] {
  const device = host.devices.get(cause.interface);
  if (cause.family !== 'ipv6' || !device?.link.ipv6) return [];
  const { name } = device;
  return [
    change(
      `Switch IPv6 on for ${name}`,
      [
        {
          name: `net.ipv6.conf.${inSysctl(name)}.disable_ipv6`,
          value: 0,
          apply: (state) => withInterfaceSetting(state, name, 'ipv6', { disable_ipv6: 0 }),
        },
      ],
      10,
    ),
  ];
}

/** Sockets outside of VRFs take what comes in by one. */
export function acceptFromVrf(cause: Extract<Cause, { code: 'outside-vrf' }>): Change[] {
  const { setting } = cause;
  const apply = (state: HostState) => withSetting(state, setting, 1);
  return [
    change(
      `Let sockets that stand outside of VRFs take what comes in by any (every such socket of that protocol)`,
      [{ name: setting, value: 1, apply }],
      30,
    ),
  ];
}

interface Setting {
  readonly name: string;
  readonly value: number;
  apply(state: HostState): HostState;
}

function own({ name }: Device, setting: Ipv4Name, value: number): Setting {
  return {
    name: `net.ipv4.conf.${inSysctl(name)}.${setting}`,
    value,
    apply: (state) => withInterfaceSetting(state, name, 'ipv4', { [setting]: value }),
  };
}

function ofAll(_: Device, setting: Ipv4Name, value: number): Setting {
  const name = `net.ipv4.conf.all.${setting}`;
  return { name, value, apply: (state) => withSetting(state, name, value) };
}

/** In a sysctl name a dot of an interface's name is written as a slash (sysctl(8)). */
function inSysctl(interfaceName: string): string {
  return interfaceName.replaceAll('.', '/');
}

function change(what: string, settings: readonly Setting[], weight: number): Change {
  const assignments = settings.map(({ name, value }) => shellQuoted(`${name}=${value}`));
  return {
    what,
    command: `sysctl -w ${assignments.join(' ')}`,
    weight,
    apply: (state) => settings.reduce((changed, { apply }) => apply(changed), state),
  };
}
