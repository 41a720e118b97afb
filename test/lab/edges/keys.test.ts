import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, lan } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

const test = labTest();

const tcp = (from: string[], addresses: string[], port: number) =>
  everyFlow(from, addresses, port).filter(({ protocol }) => protocol === 'tcp');

test('a SYN that a TCP MD5 key covers and that is not signed is dropped, from other peers it is taken', async (t) => {
  const description = structuredClone(lan);
  description.interfaces.eth0!.peers!.other = {
    addresses: ['192.0.2.200/24', '2001:db8:0:0:1::1/64'],
  };
  await withLab(description, async (lab) => {
    lab.listen([
      { protocol: 'tcp', address: '0.0.0.0', port: 1, keyedPeers: '192.0.2.0/25' },
      { protocol: 'tcp', address: '::', v6only: false, port: 2, keyedPeers: '2001:db8::10/128' },
      // A key for IPv4 peers on a socket for both (the kernel counts the prefix in IPv4's bits).
      {
        protocol: 'tcp',
        address: '::',
        v6only: false,
        port: 3,
        keyedPeers: '::ffff:192.0.2.10/32',
      },
    ]);
    const fates = async (port: number) => {
      const flows = tcp(
        ['neighbour', 'other', 'host'],
        [LAN4, ...(port === 1 ? [] : [LAN6])],
        port,
      );
      const compared = await holdAgainstKernel(lab, flows);
      for (const { verdict, result } of compared) {
        if (result.symptom === 'ETIMEDOUT') t.is(verdict.cause?.code, 'signature-required');
      }
      return compared.map(
        ({ flow, result }) =>
          `${flow.from} ${flow.destination.address} ${result.symptom ?? 'reachable'}`,
      );
    };
    t.deepEqual(await fates(1), [
      `neighbour ${LAN4} ETIMEDOUT`,
      `other ${LAN4} reachable`,
      `host ${LAN4} ETIMEDOUT`,
    ]);
    t.deepEqual(await fates(2), [
      `neighbour ${LAN4} reachable`,
      `neighbour ${LAN6} ETIMEDOUT`,
      `other ${LAN4} reachable`,
      `other ${LAN6} reachable`,
      `host ${LAN4} reachable`,
      `host ${LAN6} reachable`,
    ]);
    t.deepEqual(await fates(3), [
      `neighbour ${LAN4} ETIMEDOUT`,
      `neighbour ${LAN6} reachable`,
      `other ${LAN4} reachable`,
      `other ${LAN6} reachable`,
      `host ${LAN4} reachable`,
      `host ${LAN6} reachable`,
    ]);
  });
});

test('a socket with TCP MD5 keys still refuses nothing: another port is refused without a signature', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([{ protocol: 'tcp', address: '0.0.0.0', port: 1, keyedPeers: '0.0.0.0/0' }]);
    lab.listen(both({ address: '0.0.0.0', port: 2 }));
    const [refused] = await holdAgainstKernel(lab, tcp(['neighbour'], [LAN4], 3));
    t.is(refused!.result.symptom, 'ECONNREFUSED');
    const [open] = await holdAgainstKernel(lab, tcp(['neighbour'], [LAN4], 2));
    t.is(open!.result.outcome, 'reachable');
  });
});
