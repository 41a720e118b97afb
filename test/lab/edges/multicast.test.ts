import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { lan } from '../networks.js';
import { compareWithKernel, holdAgainstKernel } from '../witness.js';

const test = labTest();

const GROUP4 = '239.1.2.3';
const GROUP6 = 'ff05::1234';

const flow = (address: string, port: number) => ({
  from: 'neighbour',
  protocol: 'udp' as const,
  destination: { address, port },
  device: 'eth0',
});

test('a datagram to a multicast group that nobody joined on the interface is dropped, whoever stands on the port', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([
      { protocol: 'udp', address: '0.0.0.0', port: 80 },
      { protocol: 'udp', address: '::', port: 80, v6only: true },
    ]);
    for (const address of [GROUP4, GROUP6]) {
      const [compared] = await holdAgainstKernel(lab, [flow(address, 80)]);
      t.is(compared!.result.symptom, 'ETIMEDOUT', address);
      t.deepEqual(compared!.result.takers, []);
      t.is(compared!.verdict.cause?.code, 'group-not-joined', address);
    }
  });
});

test('a group that is joined and has nobody on the port is silence: no port unreachable answers a multicast', async (t) => {
  await withLab({ ...lan, ip: [`address add ${GROUP4}/32 dev eth0 autojoin`] }, async (lab) => {
    lab.listen([
      { protocol: 'udp', address: '192.0.2.1', port: 80 },
      { protocol: 'udp', address: '0.0.0.0', port: 81 },
    ]);
    const [nobody] = await holdAgainstKernel(lab, [flow(GROUP4, 80)]);
    t.is(nobody!.result.symptom, 'ETIMEDOUT');
    t.is(nobody!.verdict.outcome, 'unreachable');
    // A socket that joined nothing takes what any other had joined (IP_MULTICAST_ALL), unless it says no.
    const [somebody] = await compareWithKernel(lab, [flow(GROUP4, 81)]);
    t.is(somebody!.result.takers.length, 1);
    t.is(somebody!.verdict.outcome, 'unknown');
    t.is(somebody!.verdict.cause?.code, 'not-evaluated');
  });
});

test('every interface is a member of 224.0.0.1 and ff02::1', async (t) => {
  await withLab(lan, async (lab) => {
    lab.listen([{ protocol: 'udp', address: '0.0.0.0', port: 80 }]);
    const [compared] = await compareWithKernel(lab, [flow('224.0.0.1', 80)]);
    t.is(compared!.result.takers.length, 1);
    t.is(compared!.verdict.outcome, 'unknown');
    const [all] = await holdAgainstKernel(lab, [{ ...flow('ff02::1', 80), scope: 'eth0' }]);
    t.deepEqual(all!.result.takers, []);
    t.is(all!.verdict.outcome, 'unreachable');
  });
});
