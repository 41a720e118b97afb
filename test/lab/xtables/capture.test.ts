import { existsSync, readFileSync } from 'node:fs';
import { capture } from '#earshot/kernel/capture.js';
import { native } from '#earshot/native.js';
import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import type { Namespace } from '../namespaces.js';
import { lan } from '../networks.js';
import { iptablesTools, loadRules } from './load.js';

const test = labTest(iptablesTools);

const tablesOf = (host: Namespace) =>
  ['ip', 'ip6'].map((name) => host.read(`/proc/thread-self/net/${name}_tables_names`));

/** Modules by name, of a kernel that has any: how often each is used changes by itself. */
const modules = () =>
  (existsSync('/proc/modules') ? readFileSync('/proc/modules', 'utf8') : '')
    .split('\n')
    .map((line) => line.split(' ', 1)[0])
    .sort();

test('a capture makes no legacy table, loads no module and hooks into nothing', async (t) => {
  await withLab(lan, async (lab) => {
    const host = lab.host.namespace;
    await loadRules(host, 'legacy', { filter: ['4: -A INPUT -p udp -j DROP'] });
    const before = { tables: tablesOf(host), modules: modules() };
    t.deepEqual(before.tables, ['filter\n', '']);
    for (let time = 0; time < 3; time++) {
      const { firewall, missing } = await capture({ netns: host.path });
      t.deepEqual(missing, []);
      t.deepEqual(
        [firewall.legacy!.ipv4.map(({ name }) => name), firewall.legacy!.ipv6],
        [['filter'], []],
      );
    }
    t.deepEqual({ tables: tablesOf(host), modules: modules() }, before);
  });
});

test('a table that is asked for all the same is refused where the names are not of tables', async (t) => {
  await withLab(lan, async (lab) => {
    const netns = lab.host.namespace.path;
    const names = ['', 'x'.repeat(32), 'filter\0more'];
    for (const family of ['ipv4', 'ipv6'] as const)
      t.deepEqual(await native.readXtables({ family, tables: names, netns }), [2, 2, 2]);
    t.deepEqual(tablesOf(lab.host.namespace), ['', '']);
  });
});

test('a table that is exchanged while it is read is read whole, before or after', async (t) => {
  await withLab(lan, async (lab) => {
    const host = lab.host.namespace;
    const rules = (count: number) =>
      Array.from(
        { length: count },
        (_, place) => `4: -A INPUT -p tcp -m tcp --dport ${place + 1} -j DROP`,
      );
    await loadRules(host, 'legacy', { filter: rules(10) });
    const sizes = [10, 60];
    const changes = (async () => {
      for (let time = 0; time < 10; time++)
        await loadRules(host, 'legacy', { filter: ['4: -F INPUT', ...rules(sizes[time % 2]!)] });
    })();
    let done = false;
    void changes.then(() => {
      done = true;
    });
    while (!done) {
      const { firewall, missing } = await capture({ netns: host.path, owners: false });
      t.deepEqual(
        missing.filter(({ what }) => what === 'legacy-tables'),
        [],
      );
      const [input] = firewall.legacy!.ipv4[0]!.chains!;
      t.true(sizes.includes(input!.rules.length), String(input!.rules.length));
    }
    await changes;
  });
});
