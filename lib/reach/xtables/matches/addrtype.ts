import {
  type Address,
  isLinkLocal,
  isMulticast,
  isUnspecified,
  isV4Mapped,
  sameAddress,
} from '../../../model/address.js';
import { isAnycast } from '../../anycast.js';
import type { Device } from '../../host.js';
import { RTN, typeOfIpv4 } from '../../nftables/expressions/fib.js';
import type { Run } from '../../nftables/run.js';
import { keyTo } from '../../policy.js';
import { type Answer, all, holds, not, option, options, type Reader } from '../extension.js';

const LIMIT_IN = 4; // XT_ADDRTYPE_LIMIT_IFACE_IN
const LIMIT_OUT = 8;

const bit = (type: number) => 1 << type;

/** struct xt_addrtype_info_v1, addrtype_mt_v1; and the older one of IPv4. */
export const addrtype: Reader = (info, revision, { family }) => {
  if (revision !== 0 && revision !== 1) return null;
  if (!info.isSized(revision === 0 ? 12 : 8)) return null;
  const source = info.u16(0);
  const destination = info.u16(2);
  const flags = revision === 0 ? 0 : info.u32(4);
  const notSource = revision === 0 ? info.u32(4) !== 0 : (flags & 1) !== 0;
  const notDestination = revision === 0 ? info.u32(8) !== 0 : (flags & 2) !== 0;
  const isOne = family === 'ipv4' ? isOfTypeIpv4 : isOfTypeIpv6;
  return {
    evaluate: (run) => {
      const { frame } = run;
      const limited = (flags & LIMIT_IN) !== 0 ? frame.input : frame.output;
      const device = (flags & (LIMIT_IN | LIMIT_OUT)) !== 0 ? limited : null;
      const ask = (address: Address, types: number, invert: boolean): Answer =>
        types === 0 || not(isOne(run, address, types, device), invert);
      return holds(
        all(
          ask(frame.tuple.source, source, notSource),
          ask(frame.tuple.destination, destination, notDestination),
        ),
      );
    },
    text: options(
      option('--src-type', source === 0 ? null : typeNames(source), notSource),
      option('--dst-type', destination === 0 ? null : typeNames(destination), notDestination),
      option('--limit-iface-in', (flags & LIMIT_IN) !== 0 ? '' : null),
      option('--limit-iface-out', (flags & LIMIT_OUT) !== 0 ? '' : null),
    ),
  };
};

function isOfTypeIpv4(run: Run, address: Address, types: number, device: Device | null): Answer {
  return (types & bit(typeOfIpv4(run, address, device))) !== 0;
}

/** match_type6: some types are asked of the address itself, some of the routing. */
function isOfTypeIpv6(run: Run, address: Address, types: number, device: Device | null): Answer {
  const many = isMulticast(address);
  const none = isUnspecified(address);
  const unicast = !many && !none && !isV4Mapped(address);
  if ((types & bit(RTN.multicast)) !== 0 && !many) return false;
  if ((types & bit(RTN.unicast)) !== 0 && !unicast) return false;
  if ((types & bit(RTN.unspec)) !== 0 && !none) return false;
  const routed = bit(RTN.local) | bit(RTN.anycast) | bit(RTN.unreachable);
  if ((types & routed) === 0) return true;
  const found = typesByRoute(run, address, types, device);
  return found === 'may' ? 'may' : (types & found) !== 0;
}

/** match_lookup_rt6. */
function typesByRoute(
  { host }: Run,
  address: Address,
  types: number,
  device: Device | null,
): number | 'may' {
  const ours =
    device !== null &&
    (types & bit(RTN.local)) !== 0 &&
    host.own.some((own) => own.device === device && sameAddress(own.address, address));
  const answer = host.policy.ipv6.lookup(
    keyTo(address, {
      output: device?.index ?? 0,
      strict: device !== null || isLinkLocal(address),
    }),
  );
  if (answer.kind === 'unknown') return 'may';
  if (answer.kind === 'refused') return bit(RTN.unreachable);
  const { type } = answer.found.route;
  return (
    (ours ? bit(RTN.local) : 0) |
    (device === null && type === 'local' ? bit(RTN.local) : 0) |
    (isAnycast(answer.found, address) ? bit(RTN.anycast) : 0)
  );
}

const names = Object.keys(RTN).map((name) => name.toUpperCase());

function typeNames(types: number): string {
  return [...names, 'NAT', 'XRESOLVE'].filter((_, type) => (types & bit(type)) !== 0).join(',');
}
