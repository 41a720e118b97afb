import test, { type ExecutionContext } from 'ava';
import { EarshotError } from '#earshot/errors.js';
import { listeners, sockets, socketTable } from '#earshot/index.js';
import { extendedFacts, messageOf } from '#earshot/kernel/extended.js';
import { Bytes } from '#earshot/kernel/netlink-message.js';
import { TCP_NUMBERS, tcpInfo } from '#earshot/kernel/tcp-info.js';
import type { ExtendedFacts, TcpInfo } from '#earshot/model/extended.js';
import type { Socket, SocketOptions } from '#earshot/model/socket.js';
import { requires } from '../support/requirements.js';
import { type SelfTold, toldSockets } from './support/told-sockets.js';
import { Wire } from './support/wire.js';

const live = requires('root', 'tool:ip', 'tool:ss', 'tool:python3');

/** These go on while nothing is sent: how long it has been silent, or waits. */
const RUNNING: readonly (keyof TcpInfo)[] = [
  'sinceDataSent',
  'sinceDataReceived',
  'sinceAckReceived',
];

/** These go on trying, and each time more is told. */
const TRYING: ReadonlySet<string> = new Set(['blocked', 'blocked, accepted', 'unanswered']);

/** Sockets by their names, and what they say of themselves at about the same time. */
async function named(
  t: ExecutionContext,
): Promise<[name: string, socket: Socket, told: SelfTold, ss: string][]> {
  const { here, ask } = await toldSockets(t);
  const told = await ask();
  const records = await sockets({}, { netns: here.path, extended: true });
  const lines = here.run('ss', '-tuaniemoOH').trim().split('\n');
  return Object.entries(told).map(([name, one]) => {
    const record = records.find(({ inode }) => inode === one.inode);
    const line = lines.find((text) => text.includes(` ino:${one.inode} `));
    if (!record || !line) throw new Error(`${name} is not told`);
    return [name, record, one, line];
  });
}

live('what is told of a socket is what it says of itself by getsockopt(2)', async (t) => {
  for (const [name, { extended, state }, told] of await named(t)) {
    t.truthy(extended, name);
    t.is(extended!.congestionControl?.name ?? null, told.algorithm, name);
    if (TRYING.has(name)) continue;
    const memory = new Uint32Array(told.memory.slice().buffer);
    t.deepEqual(Object.values(extended!.memory!), [...memory], name);
    if (told.info === null || state === 'listen') {
      t.is(extended!.tcp, null, name);
      continue;
    }
    const [info, own] = [{ ...extended!.tcp! }, { ...tcpInfo(Bytes.of(told.info, 'tcp_info')) }];
    for (const key of RUNNING) {
      t.true(Math.abs((info[key] as number) - (own[key] as number)) < 2000, `${name} ${key}`);
      delete info[key as never];
      delete own[key as never];
    }
    t.deepEqual(info, own, name);
    t.false(Object.entries(own).some(([, value]) => Number.isNaN(value)));
  }
});

/** Words of ss(8), as `name:value` or `name value`, and what they are of a record. */
const WORDS: [RegExp, (facts: ExtendedFacts) => number | string | null | undefined][] = [
  [/ rto:([\d.]+)/, ({ tcp }) => tcp?.rto],
  [/ rtt:([\d.]+)\//, ({ tcp }) => tcp?.rtt],
  [/ rtt:[\d.]+\/([\d.]+)/, ({ tcp }) => tcp?.rttVariation],
  [/ ato:([\d.]+)/, ({ tcp }) => tcp?.ato],
  [/ mss:(\d+)/, ({ tcp }) => tcp?.sendMss],
  [/ pmtu:(\d+)/, ({ tcp }) => tcp?.pathMtu],
  [/ rcvmss:(\d+)/, ({ tcp }) => tcp?.receiveMss],
  [/ advmss:(\d+)/, ({ tcp }) => tcp?.advertisedMss],
  [/ cwnd:(\d+)/, ({ tcp }) => tcp?.congestionWindow],
  [/ bytes_sent:(\d+)/, ({ tcp }) => tcp?.bytesSent],
  [/ bytes_acked:(\d+)/, ({ tcp }) => tcp?.bytesAcked],
  [/ bytes_received:(\d+)/, ({ tcp }) => tcp?.bytesReceived],
  [/ segs_out:(\d+)/, ({ tcp }) => tcp?.segmentsSent],
  [/ segs_in:(\d+)/, ({ tcp }) => tcp?.segmentsReceived],
  [/ data_segs_out:(\d+)/, ({ tcp }) => tcp?.dataSegmentsSent],
  [/ data_segs_in:(\d+)/, ({ tcp }) => tcp?.dataSegmentsReceived],
  [/ delivered:(\d+)/, ({ tcp }) => tcp?.delivered],
  [/ notsent:(\d+)/, ({ tcp }) => tcp?.notSentBytes],
  [/ rcv_space:(\d+)/, ({ tcp }) => tcp?.receiveSpace],
  [/ rcv_ssthresh:(\d+)/, ({ tcp }) => tcp?.receiveThreshold],
  [/ snd_wnd:(\d+)/, ({ tcp }) => tcp?.sendWindow],
  [/ minrtt:([\d.]+)/, ({ tcp }) => tcp?.minRtt],
  [/ rcv_rtt:([\d.]+)/, ({ tcp }) => tcp?.receiveRtt],
  [/ wscale:(\d+)/, ({ tcp }) => tcp?.sendWindowScale],
  [/ wscale:\d+,(\d+)/, ({ tcp }) => tcp?.receiveWindowScale],
  [/ pacing_rate (\d+)bps/, ({ tcp }) => (tcp?.pacingRate ?? 0) * 8],
  [/ pacing_rate \d+bps\/(\d+)bps/, ({ tcp }) => (tcp?.maxPacingRate ?? 0) * 8],
  [/ delivery_rate (\d+)bps/, ({ tcp }) => (tcp?.deliveryRate ?? 0) * 8],
  [/skmem:\(r(\d+)/, ({ memory }) => memory?.receiveAllocated],
  [/,rb(\d+)/, ({ memory }) => memory?.receiveBuffer],
  [/,t(\d+)/, ({ memory }) => memory?.sendAllocated],
  [/,tb(\d+)/, ({ memory }) => memory?.sendBuffer],
  [/,f(\d+)/, ({ memory }) => memory?.forwardAllocated],
  [/,w(\d+)/, ({ memory }) => memory?.sendQueued],
  [/,o(\d+)/, ({ memory }) => memory?.optionMemory],
  [/,bl(\d+)/, ({ memory }) => memory?.backlog],
  [/,d(\d+)/, ({ memory }) => memory?.drops],
  [/ (bbr|cubic) /, ({ congestionControl }) => congestionControl?.name],
];

live('what is told of a socket is what ss(8) tells', async (t) => {
  const seen = new Set<RegExp>();
  for (const [name, { extended }, , line] of await named(t)) {
    for (const [word, of] of WORDS) {
      const ofTcp = !/skmem|^,|bbr/.test(word.source);
      if (ofTcp && extended!.tcp === null) continue;
      if (TRYING.has(name) && !/notsent/.test(word.source)) continue;
      const [, value] = word.exec(line) ?? [];
      if (value === undefined) continue;
      seen.add(word);
      const own = of(extended!);
      // ss(8) prints a few digits of what it has in microseconds and bits.
      const same =
        typeof own === 'number' ? Math.abs(own - Number(value)) <= own * 1e-4 : own === value;
      t.true(same, `${name} ${word.source}: ${value} is not ${own}`);
    }
    t.is(/ app_limited/.test(line), extended!.tcp?.deliveryRateAppLimited ?? false, name);
    t.is(/ ts sack/.test(line), extended!.tcp?.options?.includes('timestamps') ?? false, name);
  }
  t.deepEqual(
    WORDS.filter(([word]) => !seen.has(word)),
    [],
  );
});

live('timers, classes, ways that are shut and options are told', async (t) => {
  const of = Object.fromEntries((await named(t)).map(([name, { extended }]) => [name, extended!]));
  t.is(of.keepalive!.timer?.kind, 'keepalive');
  const { expires } = of.keepalive!.timer!;
  t.true(expires > 7_000_000 && expires <= 7_200_000, `${expires} ms of two hours`);
  t.is(of.blocked!.timer?.kind, 'zero-window-probe');
  t.is(of.unanswered!.timer?.kind, 'retransmit');
  t.is(of.cubic!.timer, null);
  t.is(of.bbr!.typeOfService, 0x10);
  t.is(of.classed!.trafficClass, 0x20);
  t.deepEqual(of['half closed']!.shutdown, { receive: false, send: true });
  t.deepEqual(of.cubic!.shutdown, { receive: false, send: false });
  t.deepEqual(of.bbr!.tcp!.maxPacingRate, 5_000_000);
  t.is(of.bbr!.congestionControl!.facts?.kind, 'bbr');
  t.is(of.cubic!.congestionControl!.facts, null);
  const flags = new Set(of.free!.flags);
  for (const flag of ['IP_FREEBIND', 'IP_RECVERR', 'IP_TRANSPARENT'] as const) {
    t.true(flags.has(flag), flag);
    t.false(of.sender!.flags!.includes(flag), flag);
  }
  t.true(of.overrun!.memory!.drops! > 0);
  t.true(of.cubic!.cgroupId! > 0);
});

live('of a TIME-WAIT its timer is told, and no more', async (t) => {
  const { here } = await toldSockets(t);
  const [one] = await sockets({ state: 'time-wait' }, { netns: here.path, extended: true });
  t.is(one!.extended!.tcp, null);
  t.is(one!.extended!.timer!.kind, 'time-wait');
  t.true(one!.extended!.timer!.expires > 50_000 && one!.extended!.timer!.expires <= 60_000);
});

live('a table gives a number of TCP_INFO as a column', async (t) => {
  const { here } = await toldSockets(t);
  const table = await socketTable({}, { netns: here.path, extended: true });
  for (const name of TCP_NUMBERS) {
    t.deepEqual(
      [...table.tcpInfo(name)],
      table.toArray().map(({ extended }) => extended!.tcp?.[name] ?? Number.NaN),
      name,
    );
  }
  t.throws(() => table.tcpInfo('rrt' as 'rtt'), {
    message: /name is 'rrt' \(did you mean 'rtt'\?\)/,
  });
  const plain = await socketTable({}, { netns: here.path });
  t.throws(() => plain.tcpInfo('rtt'), {
    instanceOf: EarshotError,
    message: /read it with \{ extended: true \}/,
  });
  t.false('extended' in plain.at(0));
});

live('from /proc/net nothing is told beyond the ends', async (t) => {
  const { here } = await toldSockets(t);
  const records = await listeners({}, { netns: here.path, extended: true, source: 'procfs' });
  t.true(records.length > 0);
  t.true(records.every(({ extended }) => extended === null));
});

test('a misspelled or unfit option is refused', async (t) => {
  await t.throwsAsync(sockets({}, { extnded: true } as SocketOptions), {
    message: /did you mean 'extended'\?/,
  });
  await t.throwsAsync(sockets({}, { extended: 1 } as unknown as SocketOptions), {
    message: /options\.extended is 1, not true or false/,
  });
});

/** A struct tcp_info whose every byte is its own place. */
const COUNTING = Uint8Array.from({ length: 300 }, (_, place) => place);

for (const littleEndian of [true, false]) {
  const order = littleEndian ? 'little' : 'big';

  test(`a struct tcp_info of any length is told as far as it goes (${order}-endian)`, (t) => {
    const whole = tcpInfo(Bytes.of(COUNTING, 'tcp_info', littleEndian));
    let told = 0;
    for (let length = 0; length <= COUNTING.length; length++) {
      const info = tcpInfo(Bytes.of(COUNTING.subarray(0, length), 'tcp_info', littleEndian));
      for (const key of Object.keys(whole) as (keyof TcpInfo)[]) {
        // Not one is told by halves: it is nothing, or what all the bytes tell.
        if (info[key] !== null) t.deepEqual(info[key], whole[key], `${key} of ${length} bytes`);
      }
      const count = Object.values(info).filter((value) => value !== null).length;
      t.true(count >= told, `${length} bytes tell less than ${length - 1}`);
      told = count;
    }
    // The first release that had TCP_INFO told 104 bytes, to totalRetransmits; Linux 5.4 told 232.
    const first = tcpInfo(Bytes.of(COUNTING.subarray(0, 104), 'tcp_info', littleEndian));
    const later = tcpInfo(Bytes.of(COUNTING.subarray(0, 232), 'tcp_info', littleEndian));
    t.is(typeof first.totalRetransmits, 'number');
    t.is(first.pacingRate, null);
    t.is(typeof later.sendWindow, 'number');
    t.is(later.receiveWindow, null);
  });

  test(`what stands for "none" is no number (${order}-endian)`, (t) => {
    const ones = new Uint8Array(248).fill(0xff);
    const info = tcpInfo(Bytes.of(ones, 'tcp_info', littleEndian));
    t.is(info.pacingRate, null);
    t.is(info.minRtt, null);
    t.is(info.congestionState, null);
    t.is(info.rtt, 0xffffffff / 1000);
    t.is(info.sendWindowScale, 15);
    t.is(info.options!.length, 8);
    const bytes = new Uint8Array(104);
    new DataView(bytes.buffer).setUint32(76, 0x7fffffff, littleEndian);
    t.is(tcpInfo(Bytes.of(bytes, 'tcp_info', littleEndian)).sendThreshold, null);
    t.is(tcpInfo(Bytes.of(bytes, 'tcp_info', littleEndian)).sendWindowScale, null);
  });

  test(`Vegas, BBR and DCTCP tell of themselves (${order}-endian)`, (t) => {
    const wire = new Wire(littleEndian);
    const facts = (type: number, ...words: number[]) => {
      const told = [wire.attribute(4, 'any'), wire.attribute(type, wire.words(...words))];
      const bytes = Uint8Array.from([...new Uint8Array(72), ...told.flatMap((one) => [...one])]);
      const message = messageOf({ bytes, ends: Uint32Array.of(bytes.length) }, 0, littleEndian);
      return extendedFacts(message!).congestionControl!.facts;
    };
    t.deepEqual(facts(3, 1, 7, 2500, 0x7fffffff), {
      kind: 'vegas',
      enabled: true,
      rounds: 7,
      rtt: 2.5,
      minRtt: null,
    });
    t.deepEqual(facts(16, 5, 1, 1500, 739, 512), {
      kind: 'bbr',
      bandwidth: 2 ** 32 + 5,
      minRtt: 1.5,
      pacingGain: 739 / 256,
      windowGain: 2,
    });
    t.deepEqual(facts(9, littleEndian ? 1 : 1 << 16, 512, 0, 0), {
      kind: 'dctcp',
      enabled: true,
      congested: false,
      alpha: 0.5,
    });
    t.is(facts(16, 5, 1, 1500, 739), null, 'cut short');
  });
}

test('a message that is not of its form throws, whatever is wrong with it', (t) => {
  const bytes = new Uint8Array(80);
  bytes.set([200, 0, 2, 0], 72);
  const message = messageOf({ bytes, ends: Uint32Array.of(80) }, 0, true);
  t.throws(() => extendedFacts(message!), { instanceOf: EarshotError, code: 'ERR_KERNEL' });
  t.is(messageOf({ bytes, ends: Uint32Array.of(80, 80) }, 1), null);
  t.is(messageOf({ bytes, ends: Uint32Array.of(80) }, 5), null);
});
