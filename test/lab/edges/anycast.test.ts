import { type Lab, type LabFlow, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN6, lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

/*
 * IPv6 takes the address of a network itself for anycast, whether somebody has it as such or not: rules
 * that ask for the type of an address tell the one who sends from it from all others.
 */

const nft = labTest(['nft']);
const iptables = labTest(['ip6tables-nft', 'ip6tables-legacy']);

const network = '2001:db8::';

const description = structuredClone(lan);
description.interfaces.eth0!.peers!.neighbour!.addresses.push(`${network}/64`);

/** How TCP and UDP of the neighbour fare, from the network's address and from its own. */
async function fates(lab: Lab): Promise<string[]> {
  const flows = [network, '2001:db8::10'].flatMap((address): LabFlow[] =>
    everyFlow(['neighbour'], [LAN6], 80).map((flow) => ({ ...flow, source: { address } })),
  );
  const compared = await holdAgainstKernel(lab, flows);
  return compared.map(({ verdict }) => verdict.outcome);
}

const [yes, no] = ['reachable', 'unreachable'];

nft(
  'a rule that drops what comes from an anycast address drops what comes from the network itself',
  async (t) => {
    await withLab(description, async (lab) => {
      lab.listen(both({ address: '::', port: 80 }));
      t.deepEqual(await fates(lab), [yes, yes, yes, yes]);
      await lab.nft(`
        table ip6 t {
          chain c {
            type filter hook input priority 0;
            fib saddr type anycast tcp dport 80 drop
            fib saddr type unicast udp dport 80 drop
          }
        }`);
      t.deepEqual(await fates(lab), [no, yes, yes, no]);
    });
  },
);

for (const command of ['ip6tables-nft', 'ip6tables-legacy']) {
  iptables(`the same of ${command}`, async (t) => {
    await withLab(description, async (lab) => {
      lab.listen(both({ address: '::', port: 80 }));
      const line = `-p tcp -m addrtype --src-type ANYCAST -j DROP`;
      await lab.host.namespace.run([command, '-A', 'INPUT', ...line.split(' ')]);
      t.deepEqual(await fates(lab), [no, yes, yes, yes]);
    });
  });
}
