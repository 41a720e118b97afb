import { formatAddress } from '../../model/address.js';
import type { Family } from '../../model/socket.js';
import type { Bytes } from '../netlink-message.js';

/** The attributes of an element and of what a set was made with (IPSET_ATTR_*). */
export const DATA = {
  IP: 1,
  CIDR: 3,
  PORT: 4,
  PROTO: 7,
  CADT_FLAGS: 8,
  BITMASK: 12,
  NAME: 18,
  NETMASK: 20,
  IP2: 20,
  CIDR2: 21,
  IFACE: 23,
} as const;

const FLAG = { PHYSDEV: 2, NOMATCH: 4, WILDCARD: 128 } as const;

/** As ipset(8) names them; a number stands for any other. */
const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
};

/** An element as ipset(8) writes it, its fields in the order in which the type names them. */
export function elementText(data: Bytes, type: string, family: Family | null): string {
  const attributes = data.attributeMap();
  const fields = type.slice(type.indexOf(':') + 1).split(',');
  if (type === 'list:set') return attributes.get(DATA.NAME)?.text() ?? '';
  const flags = attributes.get(DATA.CADT_FLAGS)?.be32(0) ?? 0;
  let addresses = 0;
  const parts = fields.map((field) => {
    switch (field) {
      case 'port':
        return portText(attributes, type);
      case 'iface': {
        const name = attributes.get(DATA.IFACE)?.text() ?? '';
        return (flags & FLAG.PHYSDEV) !== 0 ? `physdev:${name}` : name;
      }
      default: {
        const second = addresses++ > 0;
        const address = attributes.get(second ? DATA.IP2 : DATA.IP);
        const length = attributes.get(second ? DATA.CIDR2 : DATA.CIDR);
        const text = address && family ? addressText(address, family) : '';
        return field === 'net' && length ? `${text}/${length.u8(0)}` : text;
      }
    }
  });
  const nomatch = (flags & FLAG.NOMATCH) !== 0 ? ' nomatch' : '';
  const wildcard = (flags & FLAG.WILDCARD) !== 0 ? ' wildcard' : '';
  return `${parts.join()}${nomatch}${wildcard}`;
}

/** IPSET_ATTR_IP holds an attribute of its own: IPSET_ATTR_IPADDR_IPV4 or _IPV6. */
function addressText(nest: Bytes, family: Family): string {
  const [inner] = nest.attributes();
  if (!inner) throw nest.malformed(0, 'no address in an element of a set');
  return formatAddress(inner[1].address(0, family));
}

function portText(attributes: ReadonlyMap<number, Bytes>, type: string): string {
  const bytes = attributes.get(DATA.PORT);
  const port = bytes ? bytes.u8(0) * 256 + bytes.u8(1) : 0;
  const protocol = attributes.get(DATA.PROTO)?.u8(0) ?? 0;
  return type === 'bitmap:port' ? String(port) : `${PROTOCOLS[protocol] ?? protocol}:${port}`;
}
