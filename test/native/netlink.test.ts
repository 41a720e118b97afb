import ava from 'ava';
import { native } from '#earshot/native.js';
import { requires } from '../support/requirements.js';
import { shellHost } from './support.js';

const asRoot = requires('root', 'tool:ip');

const route = 0;
const linkGroup = 1;
const dump = 0x300;
const getLink = { type: 18, flags: dump, payload: new Uint8Array(16) };
const getAddress = { type: 22, flags: dump, payload: new Uint8Array(8) };

function types(reply: unknown): number[] {
  if (!(reply instanceof Uint8Array)) throw new Error(`refused: ${JSON.stringify(reply)}`);
  const view = new DataView(reply.buffer, reply.byteOffset, reply.length);
  const found = [];
  for (let at = 0; at < reply.length; at += (view.getUint32(at, true) + 3) & ~3) {
    found.push(view.getUint16(at + 4, true));
  }
  return found;
}

/** RTM_NEWLINK that makes a bridge, the one kind of interface that needs nothing else. */
function newBridge(name: string) {
  const text = [...Buffer.from(`${name}\0`)];
  const pad = (bytes: number[]) => [...bytes, ...Array(-bytes.length & 3).fill(0)];
  const attribute = (type: number, value: number[]) =>
    pad([4 + value.length, 0, type, 0, ...value]);
  const kind = attribute(1, [...Buffer.from('bridge')]);
  const payload = [...Array(16).fill(0), ...attribute(3, text), ...attribute(18, kind)];
  return { type: 16, flags: 0x400 | 0x200, payload: Uint8Array.from(payload) };
}

ava('several requests are answered in their order', async (t) => {
  const requests = [getLink, getAddress, getLink];
  const { replies, changed } = await native.netlink({
    protocol: route,
    requests,
    watchGroups: [],
    netns: null,
  });
  t.is(replies.length, 3);
  t.deepEqual(new Set(types(replies[0])), new Set([16]));
  t.deepEqual(new Set(types(replies[1])), new Set([20]));
  t.deepEqual(new Set(types(replies[2])), new Set([16]));
  t.false(changed);
});

ava('a request that is no dump is answered by its one message', (t) => {
  const lo = new Uint8Array(16);
  lo[4] = 1; // ifi_index
  const { replies } = native.netlinkSync({
    protocol: route,
    requests: [{ type: 18, flags: 0, payload: lo }],
    watchGroups: [],
    netns: null,
  });
  t.deepEqual(types(replies[0]), [16]);
});

ava("a refusal carries the kernel's own words, and the requests behind it are answered", (t) => {
  const strange = new Uint8Array(12);
  strange[0] = 2; // rtm_family
  strange[1] = 24; // rtm_dst_len, which a dump may not have
  const { replies } = native.netlinkSync({
    protocol: route,
    requests: [{ type: 26, flags: dump, payload: strange }, getLink],
    watchGroups: [],
    netns: null,
  });
  t.like(replies[0], { errno: 22 });
  t.regex((replies[0] as { detail: string }).detail, /Invalid values in header for FIB dump/);
  t.true(types(replies[1]).length > 0);
});

ava('a request cut short is refused', (t) => {
  const { replies } = native.netlinkSync({
    protocol: route,
    requests: [{ type: 18, flags: 0, payload: new Uint8Array(3) }],
    watchGroups: [],
    netns: null,
  });
  t.like(replies[0], { errno: 22 });
});

ava('a type of message that nobody knows is refused', (t) => {
  const { replies } = native.netlinkSync({
    protocol: route,
    requests: [{ type: 9999, flags: 0, payload: new Uint8Array(16) }],
    watchGroups: [],
    netns: null,
  });
  t.like(replies[0], { errno: 95 });
});

ava('a protocol that the kernel does not have is an error', async (t) => {
  for (const protocol of [31, 1000]) {
    const error = await t.throwsAsync(
      native.netlink({ protocol, requests: [getLink], watchGroups: [], netns: null }),
    );
    t.like(error, { code: 'ERR_KERNEL', syscall: 'socket', errno: 93 });
    t.regex(error!.message, new RegExp(`protocol ${protocol}`));
  }
});

ava('a group that does not exist cannot be watched', (t) => {
  const error = t.throws(() =>
    native.netlinkSync({ protocol: route, requests: [], watchGroups: [5000], netns: null }),
  );
  t.like(error, { code: 'ERR_KERNEL', syscall: 'setsockopt', errno: 22 });
});

asRoot('a link added between two answers is a change', async (t) => {
  const other = await shellHost('');
  t.teardown(() => other.close());
  const ask = (watchGroups: number[]) =>
    native.netlinkSync({
      protocol: route,
      requests: [getLink, newBridge(`made${watchGroups.length}`), getLink],
      watchGroups,
      netns: other.netns,
    });
  const watched = ask([linkGroup]);
  t.true(watched.changed);
  t.is(types(watched.replies[0]).length + 1, types(watched.replies[2]).length);
  t.deepEqual(types(watched.replies[1]), []);
  t.false(ask([]).changed, 'nobody watched');
});

asRoot('an answer longer than one datagram is whole', async (t) => {
  const many = 300;
  const other = await shellHost(`
    i=0; while [ $i -lt ${many} ]; do echo "link add br$i type bridge"; i=$((i+1)); done | ip -batch -
  `);
  t.teardown(() => other.close());
  const { replies } = await native.netlink({
    protocol: route,
    requests: [getLink],
    watchGroups: [],
    netns: other.netns,
  });
  t.true((replies[0] as Uint8Array).length > 65536);
  t.is(types(replies[0]).length, many + 1);
});
