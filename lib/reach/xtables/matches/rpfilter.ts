import {
  type Address,
  isLinkLocal,
  isMulticast,
  isUnspecified,
  unspecified,
} from '../../../model/address.js';
import type { Device } from '../../host.js';
import { LOOPBACK_INDEX } from '../../host.js';
import type { Run } from '../../nftables/run.js';
import { unknownUser } from '../../ready-rule.js';
import { type Answer, holds, option, options, type Reader } from '../extension.js';

const FLAG = { loose: 1, mark: 2, acceptLocal: 4, invert: 8 } as const;

/** struct xt_rpfilter_info; rpfilter_mt of ipt_rpfilter and ip6t_rpfilter. */
export const rpfilter: Reader = (info, revision) => {
  if (revision !== 0 || !info.isSized(1)) return null;
  const flags = info.u8(0);
  const say = (flag: number, name: string) => option(name, (flags & flag) !== 0 ? '' : null);
  return {
    evaluate: (run) => holds(comesBack(run, flags), (flags & FLAG.invert) !== 0),
    text: options(
      say(FLAG.loose, '--loose'),
      say(FLAG.mark, '--validmark'),
      say(FLAG.acceptLocal, '--accept-local'),
      say(FLAG.invert, '--invert'),
    ),
  };
};

/** Would an answer to the packet's source leave by the interface that it came in on? */
function comesBack(run: Run, flags: number): Answer {
  const { frame } = run;
  const { input, tuple } = frame;
  // What came over lo has been routed already, to this host itself.
  if (!input || input.link.loopback) return true;
  if (frame.family === 'ipv6' && isUnspecified(tuple.source)) return true;
  const byMark = (flags & FLAG.mark) !== 0;
  if (byMark && frame.mark === null) return 'may';
  return reverse(run, input, flags, byMark ? (frame.mark ?? 0) : 0);
}

/** rpfilter_lookup_reverse, rpfilter_lookup_reverse6. */
function reverse({ host, frame }: Run, input: Device, flags: number, mark: number): Answer {
  const { source, destination } = frame.tuple;
  const ipv4 = frame.family === 'ipv4';
  const loose = (flags & FLAG.loose) !== 0;
  const onLink = !ipv4 && isLinkLocal(source);
  const bound = onLink || (!ipv4 && !loose);
  const answer = host.policy[frame.family].lookup(
    {
      destination: source,
      source: isSource(destination) ? destination : unspecified(frame.family),
      input: LOOPBACK_INDEX,
      output: bound ? input.index : 0,
      strict: onLink,
      mark,
      tos: 0,
      protocol: ipv4 ? 0 : frame.protocol,
      sourcePort: 0,
      destinationPort: 0,
      uid: unknownUser,
      ...(input.vrf ? { l3mdev: input.vrf.index } : {}),
    },
    bound ? input.index : 0,
    ipv4,
  );
  if (answer.kind === 'unknown') return 'may';
  if (answer.kind === 'refused') return false;
  const { route, device } = answer.found;
  if (route.type === 'local') {
    if ((flags & FLAG.acceptLocal) === 0) return false;
    if (!ipv4) return true;
  } else if (route.type !== 'unicast') return false;
  if (loose) return true;
  if (!ipv4) return device === input;
  return route.nexthops.some((nexthop) => nexthop.interface === input.name);
}

/** Broadcasts and multicasts are no source to look up with. */
function isSource(address: Address): boolean {
  return (
    !isMulticast(address) &&
    !(address.family === 'ipv4' && (address.a === -1 || address.a >>> 24 === 0))
  );
}
