import type { NftExpression } from '../../../model/ruleset.js';
import type { Device } from '../../host.js';
import { paddedName } from '../bytes.js';
import type { Frame } from '../frame.js';
import type { Registers } from '../registers.js';
import type { Evaluate, Result, Run } from '../run.js';

/** Keys of meta (enum nft_meta_keys), and how many bytes the unknowable ones load. */
export const META = {
  len: 0,
  protocol: 1,
  priority: 2,
  mark: 3,
  iif: 4,
  oif: 5,
  iifname: 6,
  oifname: 7,
  iiftype: 8,
  oiftype: 9,
  skuid: 10,
  skgid: 11,
  nftrace: 12,
  rtclassid: 13,
  secmark: 14,
  nfproto: 15,
  l4proto: 16,
  ibrname: 17,
  obrname: 18,
  pkttype: 19,
  cpu: 20,
  iifgroup: 21,
  oifgroup: 22,
  cgroup: 23,
  random: 24,
  ipsec: 25,
  iifkind: 26,
  oifkind: 27,
  ibrpvid: 28,
  ibrvproto: 29,
  time: 30,
  day: 31,
  hour: 32,
  sdif: 33,
  sdifname: 34,
} as const;

/** nft_meta_get_eval. */
export function meta({ destination, key }: Extract<NftExpression, { kind: 'meta' }>): Evaluate {
  return (run) => load(run, key, destination);
}

function load(run: Run, key: number, to: number): Result {
  const { frame, registers } = run;
  switch (key) {
    case META.len:
      // An egress hook counts the link header, which the length here leaves out.
      if (frame.length === null || run.hook === 'egress') registers.storeUnknown(to, 4);
      else registers.storeNumber(to, frame.length);
      return 'continue';
    case META.protocol:
      registers.storeNetwork16(to, frame.etherType);
      return 'continue';
    case META.priority:
      return storeKnown(registers, to, frame.input ? 0 : null);
    case META.mark:
      return storeKnown(registers, to, frame.mark);
    case META.iif:
      return storeKnown(registers, to, frame.input?.index ?? 0);
    case META.oif:
      return storeKnown(registers, to, frame.output?.index ?? 0);
    case META.iifname:
      registers.store(to, paddedName(frame.input?.name ?? ''));
      return 'continue';
    case META.oifname:
      registers.store(to, paddedName(frame.output?.name ?? ''));
      return 'continue';
    case META.iiftype:
      return inputType(run, to);
    case META.oiftype:
      return ofDevice(frame.output, (device) =>
        registers.storeNumber(to, device.link.hardwareType, 2),
      );
    case META.iifgroup:
      return ofDevice(frame.input, (device) => registers.storeNumber(to, device.link.group));
    case META.oifgroup:
      return ofDevice(frame.output, (device) => registers.storeNumber(to, device.link.group));
    case META.iifkind:
      return kindOf(frame.input, registers, to);
    case META.oifkind:
      return kindOf(frame.output, registers, to);
    case META.skuid:
      return owner(frame, registers, to);
    case META.skgid:
      if (frame.owner === 'none') return 'break';
      registers.storeUnknown(to, 4);
      return 'continue';
    case META.nftrace:
      registers.storeNumber(to, 0, 1);
      return 'continue';
    case META.nfproto:
      registers.storeNumber(to, frame.family === 'ipv4' ? 2 : 10, 1);
      return 'continue';
    case META.l4proto:
      if (frame.kind === 'arp') return 'break';
      registers.storeNumber(to, frame.protocol, 1);
      return 'continue';
    case META.ibrname:
    case META.obrname:
    case META.ibrpvid:
    case META.ibrvproto:
      return run.family === 'bridge' ? 'unknown' : 'break';
    case META.pkttype:
      registers.storeNumber(to, frame.packetType, 1);
      return 'continue';
    case META.ipsec:
      // Packets of a tunnel would carry a security path; ours are plain.
      registers.storeNumber(to, 0, 1);
      return 'continue';
    case META.sdif:
      registers.storeNumber(to, 0);
      return 'continue';
    case META.sdifname:
      registers.store(to, paddedName(''));
      return 'continue';
    case META.rtclassid:
      registers.storeUnknown(to, 4);
      return 'may';
    case META.time:
      registers.storeUnknown(to, 8);
      return 'continue';
    case META.day:
      registers.storeUnknown(to, 1);
      return 'continue';
    case META.secmark:
    case META.cpu:
    case META.cgroup:
    case META.random:
    case META.hour:
      registers.storeUnknown(to, 4);
      return 'continue';
    default:
      return 'unknown';
  }
}

function storeKnown(registers: Registers, to: number, value: number | null): Result {
  if (value === null) registers.storeUnknown(to, 4);
  else registers.storeNumber(to, value);
  return 'continue';
}

function ofDevice(device: Device | null, store: (device: Device) => void): Result {
  if (!device) return 'break';
  store(device);
  return 'continue';
}

/**
 * Newer kernels take the type of the device that the packet is at (skb->dev), which is the one it
 * leaves by where it goes out; older ones that of the device it came in on.
 */
function inputType({ frame, hook, registers }: Run, to: number): Result {
  const leaves = hook === 'postrouting' || hook === 'egress';
  if (leaves || (hook === 'output' && frame.family === 'ipv6')) {
    registers.storeUnknown(to, 2);
    return 'may';
  }
  return ofDevice(frame.input, ({ link }) => registers.storeNumber(to, link.hardwareType, 2));
}

/** The kind that `ip link add … type` gives; hardware and lo have none. */
function kindOf(device: Device | null, registers: Registers, to: number): Result {
  const kind = device?.link.kind;
  if (!kind) return 'break';
  registers.store(to, paddedName(kind));
  return 'continue';
}

/** The user who opened the socket; one who was given it later (fchown) is taken for the same. */
function owner(frame: Frame, registers: Registers, to: number): Result {
  if (frame.owner === 'none') return 'break';
  if (frame.owner === 'unknown') registers.storeUnknown(to, 4);
  else registers.storeNumber(to, frame.owner);
  return 'continue';
}

/** nft_meta_set_eval: of what can be set, marks and the packet type are seen again. */
export function metaSet({ source, key }: Extract<NftExpression, { kind: 'meta-set' }>): Evaluate {
  switch (key) {
    case META.mark:
      return ({ frame, registers }) => {
        frame.mark = registers.number(source);
        return 'continue';
      };
    case META.pkttype:
      return ({ frame, registers }) => {
        if (!registers.isKnown(source, 1)) return 'unknown';
        frame.packetType = registers.bytes[source * 4]!;
        return 'continue';
      };
    case META.priority:
    case META.nftrace:
    case META.secmark:
      return () => 'continue';
    default:
      return () => 'unknown';
  }
}
