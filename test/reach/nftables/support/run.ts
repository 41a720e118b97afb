import { parseAddress } from '#earshot/model/address.js';
import type { Hook, NftFamily } from '#earshot/model/firewall.js';
import type { IpSet } from '#earshot/model/ipset.js';
import type { NftExpression, NftSet, NftVerdict } from '#earshot/model/ruleset.js';
import { hostOf } from '#earshot/reach/host.js';
import { bytesFromHex, hexFromBytes } from '#earshot/reach/nftables/bytes.js';
import { compile } from '#earshot/reach/nftables/compile.js';
import type { Frame } from '#earshot/reach/nftables/frame.js';
import { type FlowKind, makeFrame } from '#earshot/reach/nftables/headers.js';
import type { PeerWatch } from '#earshot/reach/nftables/peer-watch.js';
import { Registers } from '#earshot/reach/nftables/registers.js';
import type { CompiledRule } from '#earshot/reach/nftables/ruleset.js';
import type { Refusal, Result } from '#earshot/reach/nftables/run.js';
import { CompiledSet } from '#earshot/reach/nftables/sets.js';
import { compileExtension } from '#earshot/reach/xtables/compile.js';
import { IpSets } from '#earshot/reach/xtables/ipset/sets.js';
import { onLan } from '../../support/state.js';

/* One expression, one packet: what it answers, and what it leaves in the registers. */

export const host = hostOf(onLan([]));

/** A packet from 192.168.1.20 (or 2001:db8:1::20), port 40000, to the host's port 80. */
export function packet(kind: FlowKind = 'syn', ipv6 = false): Frame {
  const address = (text: string) => parseAddress(text)!;
  const tuple = {
    source: address(ipv6 ? '2001:db8:1::20' : '192.168.1.20'),
    sourcePort: 40000,
    destination: address(ipv6 ? '2001:db8:1::10' : '192.168.1.10'),
    destinationPort: 80,
  };
  const frame = makeFrame(kind, ipv6 ? 'ipv6' : 'ipv4', tuple, { ttl: null, mtu: 1500 }, false);
  frame.input = host.devices.get('eth0')!;
  return frame;
}

/** For the watch of a peer, to which all rules are the same. */
const someRule = {} as CompiledRule;

export interface Setting {
  /** Hexadecimal, from register 0 on. `??` is a byte that is not known. */
  registers?: string;
  frame?: Frame;
  hook?: Hook;
  family?: NftFamily;
  sets?: NftSet[];
  objects?: Record<string, NftExpression | null>;
  ipsets?: IpSet[];
  /** The peer whose address is watched. */
  peer?: PeerWatch<CompiledRule>;
  /** What is chosen where several ways are open; counted from zero. */
  choice?: number;
}

export interface Outcome {
  result: Result;
  registers: Registers;
  verdict: NftVerdict;
  refusal: Refusal | null;
  frame: Frame;
  /** How many ways were open, for each choice that was asked for. */
  choices: number[];
}

export function evaluate(expression: NftExpression, setting: Setting = {}): Outcome {
  const registers = new Registers();
  (setting.registers?.match(/../g) ?? []).forEach((byte, place) => {
    if (byte === '??') registers.unknown[place] = 0xff;
    else registers.bytes[place] = Number.parseInt(byte, 16);
  });
  const sets = new Map(setting.sets?.map((set) => [set.name, new CompiledSet(set)]));
  const choices: number[] = [];
  const run = {
    host,
    frame: setting.frame ?? packet(),
    hook: setting.hook ?? 'input',
    family: setting.family ?? 'inet',
    registers,
    verdict: { code: 'continue' } as NftVerdict,
    refusal: null as Refusal | null,
    touched: new Set<object>(),
    peer: setting.peer ?? null,
    looksAtPeer() {
      setting.peer?.blur(someRule);
    },
    choose(ways: number) {
      choices.push(ways);
      return setting.choice ?? 0;
    },
  };
  const ready = compile(expression, {
    set: (name) => sets.get(name) ?? null,
    object: (_, name) => setting.objects?.[name],
    extension: (one) =>
      compileExtension(one, setting.family ?? 'ip', new IpSets(setting.ipsets ?? [])),
  });
  const result = ready(run);
  const { verdict, refusal, frame } = run;
  return { result, registers, verdict, refusal, frame, choices };
}

/** What a register holds, `??` for a byte of which any bit is unknown. */
export function held({ registers }: Outcome, word: number, length = 4): string {
  const bytes = registers.bytes.subarray(word * 4, word * 4 + length);
  return [...bytes]
    .map((byte, place) =>
      registers.unknown[word * 4 + place] === 0 ? hexFromBytes(Uint8Array.of(byte)) : '??',
    )
    .join('');
}

/** A set of keys in hexadecimal, sorted; what is not said is as for a plain named set. */
export function setOf(keys: string[], changes: Partial<NftSet> = {}): NftSet {
  const packed = Uint8Array.from(keys.flatMap((key) => [...bytesFromHex(key)]));
  return {
    family: 'inet',
    table: 't',
    name: 's',
    handle: 1,
    flags: [],
    keyType: 0,
    keyLength: (keys[0]?.length ?? 8) / 2,
    fields: [],
    dataType: null,
    dataLength: 0,
    objectType: null,
    size: keys.length,
    keys: Buffer.from(packed).toString('base64'),
    keyEnds: null,
    ends: null,
    data: null,
    verdictOf: null,
    verdicts: [],
    objects: null,
    catchall: null,
    expressionLists: [],
    expressionsOf: null,
    expressions: [],
    ...changes,
  };
}

/** A column of a set: bytes in hexadecimal, one element after the other. */
export function column(...values: string[]): string {
  return Buffer.from(values.join(''), 'hex').toString('base64');
}
